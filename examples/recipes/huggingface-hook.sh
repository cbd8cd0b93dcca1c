#!/usr/bin/env bash
# Makes a hook for a repository on Hugging Face, and says what to enter at https://huggingface.co/settings/webhooks.
#   HONE_URL=https://hone.example.com HONE_API_KEY=hone_… ./huggingface-hook.sh acme/tiny onnx/model.onnx
set -euo pipefail
hook=$(curl --fail-with-body --silent --show-error --header "Authorization: Bearer $HONE_API_KEY" \
  --header 'Content-Type: application/json' "$HONE_URL/v1/hooks" --data @- <<JSON
{
  "source": "huggingface",
  "filter": {"repository": "$1"},
  "model": {"path": "$2"},
  "steps": [{"op": "quantize"}, {"op": "verify"}]
}
JSON
)
field() {
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$hook"
}
echo "Target: $1, repo update"
echo "Webhook URL: $HONE_URL/v1/hooks/$(field id)"
echo "Secret: $(field secret)"
