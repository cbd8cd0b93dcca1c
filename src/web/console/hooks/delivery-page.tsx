/** @file #/hooks/{id}/{delivery}: what came in, what was decided, the job, and where its result went. */
import { bytes, when } from "../format.ts";
import { Facts } from "../parts/facts.tsx";
import { readable } from "../parts/json.ts";
import { Page } from "../parts/page.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";
import type { HookDeliveryWithPayload } from "../../../../sdk/typescript/src/generated/schema.d.ts";

type HookResult = NonNullable<HookDeliveryWithPayload["result"]>;

const EVERY_MS = 2000;

export function DeliveryPage({ hook, id }: { hook: string; id: string }) {
  const hone = useHone();
  const { data, error } = useLoad(
    async () => {
      const params = { path: { id: hook, delivery: id } };
      return (await hone.api.GET("/v1/hooks/{id}/deliveries/{delivery}", { params })).data;
    },
    [hook, id],
    EVERY_MS,
  );
  return (
    <Page title="Delivery" kicker={<a href={to(["hooks", hook])}>The hook</a>}>
      <Refused error={error} />
      {data ? <Contents delivery={data} /> : !error && <p>Loading…</p>}
    </Page>
  );
}

function Contents({ delivery }: { delivery: HookDeliveryWithPayload }) {
  const { id, event, state, decision, reason, model_url, model_id, job_id } = delivery;
  const link = (kind: string, which: string | null) =>
    which === null ? "–" : <a href={to([kind, which])}>{which}</a>;
  return (
    <>
      <Facts
        facts={[
          ["Id", <code>{id}</code>],
          ["When", when(delivery.created_at)],
          ["Event", event || "–"],
          ["Decision", decision],
          ["State", <span class={`state ${state}`}>{state}</span>],
          ["Why", reason ?? "–"],
          ["Model from", model_url ?? "–"],
          ["Model", link("models", model_id)],
          ["Job", link("jobs", job_id)],
          ["Attempts", delivery.attempts],
        ]}
      />
      {delivery.result && <Result result={delivery.result} />}
      <section>
        <h2>Payload</h2>
        <p class="faint">
          {bytes(delivery.payload_bytes)}, SHA-256 <code>{delivery.payload_sha256}</code>
        </p>
        <pre tabIndex={0} aria-label="Payload">
          {readable(delivery.payload)}
        </pre>
      </section>
    </>
  );
}

function Result({
  result: { to: target, state, attempts, next_attempt_at, files },
}: {
  result: HookResult;
}) {
  return (
    <section>
      <h2>The result</h2>
      <p>
        By <code>{target}</code>: {state}
        {next_attempt_at !== null && `, the next try ${when(next_attempt_at)}`}
      </p>
      <Table
        caption="Tries"
        rows={attempts}
        rowKey={(_, index) => index}
        empty="None yet: the job goes on."
        columns={[
          { title: "When", cell: ({ at }) => when(at) },
          { title: "Answer", number: true, cell: ({ status }) => status ?? "–" },
          { title: "What", cell: ({ error }) => error ?? "taken" },
        ]}
      />
      {files.length > 0 && (
        <Table
          caption="Files"
          rows={files}
          rowKey={({ file }) => file}
          columns={[
            { title: "File", heads: true, cell: ({ file }) => file },
            { title: "Size", number: true, cell: (file) => bytes(file.bytes) },
            { title: "Where", cell: ({ place }) => <code>{place}</code> },
          ]}
        />
      )}
    </section>
  );
}
