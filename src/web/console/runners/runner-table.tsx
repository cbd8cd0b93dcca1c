/** @file The runners that are connected, or were in the last day. */
import type { Runner } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { bytes, duration, real, whole } from "../format.ts";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { useHone } from "../session.ts";
import { useAction, useLoad } from "../use-load.ts";

const EVERY_MS = 2000;

export function RunnerTable() {
  const hone = useHone();
  const { data, error, reload } = useLoad(
    async () => {
      const { data: page } = await hone.api.GET("/v1/runners", {
        params: { query: { limit: 100 } },
      });
      return page?.data.toSorted((a, b) => b.last_seen_at - a.last_seen_at);
    },
    [],
    EVERY_MS,
  );
  const drain = useAction(async (id: string) => {
    await hone.api.POST("/v1/runners/{id}/drain", { params: { path: { id } } });
    reload();
  });
  return (
    <>
      <Refused error={error ?? drain.error} />
      <Table<Runner>
        caption="Connected, or seen in the last day"
        rows={data ?? []}
        rowKey={({ id }) => id}
        empty={data ? "None yet: make a token below." : "Loading…"}
        columns={[
          {
            title: "Runner",
            heads: true,
            cell: ({ id, info }) => (
              <>
                {info.name}
                <br />
                <code>{id}</code>
              </>
            ),
          },
          { title: "State", cell: ({ state }) => <span class={`state ${state}`}>{state}</span> },
          { title: "Device", cell: device },
          { title: "Largest model", number: true, cell: ({ info }) => bytes(info.max_model_bytes) },
          { title: "Tasks done", number: true, cell: ({ tasks_done }) => whole(tasks_done) },
          { title: "Failed", number: true, cell: ({ tasks_failed }) => whole(tasks_failed) },
          { title: "Throughput", number: true, cell: throughput },
          {
            title: "Last seen",
            number: true,
            cell: ({ last_seen_at }) => `${duration(Date.now() / 1000 - last_seen_at)} ago`,
          },
          {
            title: "Drain",
            quiet: true,
            cell: ({ id, state, info }) =>
              state === "gone" || state === "draining" ? null : (
                <button
                  type="button"
                  title="It finishes what it does, gets nothing more, and leaves."
                  aria-label={`Drain ${info.name}`}
                  onClick={() => drain.run(id)}
                >
                  Drain
                </button>
              ),
          },
        ]}
      />
    </>
  );
}

function device({ info: { backends, adapter } }: Runner) {
  const name = adapter
    ? [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ")
    : "no GPU";
  return `${backends.join(", ")} · ${name}`;
}

/** Tasks in a minute of the time that it held any. */
function throughput({ tasks_done, busy_s }: Runner): string {
  return busy_s > 0 ? `${real(Number(((60 * tasks_done) / busy_s).toPrecision(3)))} / min` : "–";
}
