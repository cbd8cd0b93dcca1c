/** @file What an endpoint was told, or is to be: attempts, answers, payloads, and again by hand. */
import { useState } from "preact/hooks";
import type { WebhookDelivery } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { when } from "../format.ts";
import { indented } from "../parts/json.ts";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { useHone } from "../session.ts";
import { useAction, useLoad } from "../use-load.ts";

const EVERY_MS = 2000;
const SHOWN = 50;

export function DeliveryLog({ endpoint }: { endpoint: string }) {
  const hone = useHone();
  const [opened, setOpened] = useState<WebhookDelivery>();
  const { data, error, reload } = useLoad(
    async () => {
      const params = { path: { id: endpoint }, query: { limit: SHOWN } };
      return (await hone.api.GET("/v1/webhook-endpoints/{id}/deliveries", { params })).data?.data;
    },
    [endpoint],
    EVERY_MS,
  );
  const again = useAction(async (delivery: string) => {
    const params = { path: { id: endpoint, delivery } };
    await hone.api.POST("/v1/webhook-endpoints/{id}/deliveries/{delivery}/redeliver", { params });
    reload();
  });
  return (
    <section>
      <h2>Log</h2>
      <Refused error={error ?? again.error} />
      <Table<WebhookDelivery>
        caption={`The latest ${SHOWN} events, newest first`}
        rows={data ?? []}
        rowKey={({ id }) => id}
        empty={data ? "Nothing yet." : "Loading…"}
        columns={[
          {
            title: "Event",
            heads: true,
            cell: (delivery) => (
              <button type="button" class="link" onClick={() => setOpened(delivery)}>
                {delivery.type} {delivery.sequence}
              </button>
            ),
          },
          { title: "State", cell: ({ state }) => <span class={`state ${state}`}>{state}</span> },
          { title: "Attempts", number: true, cell: ({ attempts }) => attempts },
          { title: "Answer", number: true, cell: ({ status }) => status ?? "–" },
          { title: "Why", cell: (delivery) => delivery.error },
          {
            title: "Next try",
            cell: ({ next_attempt_at: at }) => (at === null ? "–" : when(at)),
          },
          { title: "When", cell: ({ created_at }) => when(created_at) },
          {
            title: "Send again",
            quiet: true,
            cell: ({ id, sequence }) => (
              <button
                type="button"
                aria-label={`Send event ${sequence} again`}
                disabled={again.busy}
                onClick={() => again.run(id)}
              >
                Send again
              </button>
            ),
          },
        ]}
      />
      <div aria-live="polite">
        {opened && (
          <>
            <h2>
              Event {opened.sequence} <code>{opened.event_id}</code>
            </h2>
            <pre tabIndex={0} aria-label="Payload">
              {indented(opened.payload)}
            </pre>
          </>
        )}
      </div>
    </section>
  );
}
