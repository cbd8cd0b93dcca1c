#!/usr/bin/env bash
# Prunes, quantizes and verifies a model as one job, and downloads the result.
#   HONE_URL=http://127.0.0.1:8787 HONE_API_KEY=hone_… ./optimize.sh model.onnx small.onnx
set -euo pipefail
model=$1
result=$2

hone() {
  curl --fail-with-body --silent --show-error --header "Authorization: Bearer $HONE_API_KEY" "$@"
}

# Answers say in Location where the new thing is.
location() {
  tr -d '\r' | sed -n 's/^[Ll]ocation: //p'
}

stored=$(hone --data-binary @"$model" --dump-header - --output /dev/null "$HONE_URL/v1/models" | location)
recipe='{"steps": [{"op": "prune", "amount": 0.5}, {"op": "quantize", "method": "weight_only"}, {"op": "verify"}]}'
job=$(hone --header 'Content-Type: application/json' --data "$recipe" --dump-header - --output /dev/null \
  "$HONE_URL$stored/optimize" | location)

# The events end when the job is over; a recipe that failed says which step, and why.
hone --no-buffer "$HONE_URL$job/events" | sed -n 's/^data: {"fraction":[^,]*,"doing":"\([^"]*\)".*/\1/p' | uniq >&2
answer=$(hone "$HONE_URL$job")
small=$(sed -n 's/.*"result":{"model_id":"\([^"]*\)".*/\1/p' <<<"$answer")
if [[ -z $small ]]; then
  echo "$answer" >&2
  exit 1
fi
hone --output "$result" "$HONE_URL/v1/models/$small/content"
