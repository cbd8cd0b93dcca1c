/** @file The test button: what a payload would do, and doing it. */
import { useState } from "preact/hooks";
import type { Hook, HookReceipt } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { TextArea, TextField } from "../parts/fields.tsx";
import { indented, jsonOf } from "../parts/json.ts";
import { Refused } from "../parts/problem.tsx";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

/** As each source sends it. */
const EXAMPLES: Record<Hook["source"], [event: string, payload: unknown]> = {
  standard: ["", { type: "model.published", data: { url: "https://example.com/model.onnx" } }],
  github: [
    "release",
    {
      action: "published",
      repository: { full_name: "acme/vision" },
      release: {
        tag_name: "v1.0.0",
        assets: [{ name: "model.onnx", browser_download_url: "https://example.com/model.onnx" }],
      },
    },
  ],
  huggingface: [
    "",
    {
      event: { action: "update", scope: "repo.content" },
      repo: { type: "model", name: "acme/vision", headSha: "main" },
    },
  ],
  r2: [
    "",
    {
      action: "PutObject",
      bucket: "hone-exchange",
      object: { key: "…/model.onnx", eTag: "…" },
    },
  ],
};

export function HookTest({ hook, onSent }: { hook: Hook; onSent: () => void }) {
  const hone = useHone();
  const [firstEvent, example] = EXAMPLES[hook.source];
  const [event, setEvent] = useState(firstEvent);
  const [payload, setPayload] = useState(indented(example));
  const [receipt, setReceipt] = useState<HookReceipt>();
  const test = useAction(async (dryRun: boolean) => {
    const { data } = await hone.api.POST("/v1/hooks/{id}/test", {
      params: { path: { id: hook.id } },
      body: {
        event,
        payload: jsonOf<Record<string, unknown>>("Payload", payload),
        dry_run: dryRun,
      },
    });
    setReceipt(data);
    if (!dryRun) onSent();
  });
  return (
    <section>
      <h2>Try it</h2>
      <div class="fields wide">
        {hook.source === "github" && (
          <TextField label="X-GitHub-Event" value={event} onChange={setEvent} />
        )}
        <TextArea label="Payload, as JSON" value={payload} onChange={setPayload} rows={8} />
      </div>
      <p class="row">
        <button type="button" disabled={test.busy} onClick={() => test.run(true)}>
          What would it do?
        </button>
        <button type="button" disabled={test.busy} onClick={() => test.run(false)}>
          Do it
        </button>
      </p>
      <Refused error={test.error} />
      <p class="reserve-line" role="status" data-testid="receipt">
        {receipt && receiptText(receipt)}
      </p>
    </section>
  );
}

function receiptText({ decision, reason, deliveries }: HookReceipt): string {
  if (decision === "ignored") return `Ignored: ${reason ?? "it does not fit"}.`;
  return deliveries.length === 0 ? "It would be accepted." : `Accepted: ${deliveries.join(", ")}.`;
}
