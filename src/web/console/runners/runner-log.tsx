/** @file What happened to runners: connections, tasks taken back, results refused. */
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";

const EVERY_MS = 5000;
const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

export function RunnerLogView() {
  const hone = useHone();
  const { data, error } = useLoad(
    async () =>
      (await hone.api.GET("/v1/runners/log", { params: { query: { limit: 100 } } })).data?.data,
    [],
    EVERY_MS,
  );
  return (
    <section>
      <h2>Log</h2>
      <Refused error={error} />
      <Table
        caption="What happened to runners, newest first"
        hidden
        rows={data ?? []}
        rowKey={({ at }, index) => `${at} ${index}`}
        empty={data ? "Nothing yet." : "Loading…"}
        columns={[
          { title: "When", cell: ({ at }) => CLOCK.format(at) },
          { title: "Runner", cell: ({ runner }) => <code>{runner ?? "–"}</code> },
          { title: "What", cell: ({ what }) => what },
          { title: "Task", cell: ({ task }) => <code>{task ?? "–"}</code> },
        ]}
      />
    </section>
  );
}
