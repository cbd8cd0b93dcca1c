/** @file What a search tried: the trade-off as a chart, and each trial. */
import type {
  SearchReport,
  SearchTrial,
} from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { nameOf, TradeOff } from "../charts/trade-off.tsx";
import { bytes, milliseconds, real } from "../format.ts";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";

export function SearchResult({ search }: { search: SearchReport }) {
  const { metric, minimize, max_drop, trials, best, evaluations, exhausted } = search;
  return (
    <>
      <h2>What was tried</h2>
      <p>
        For the least {minimize} within a drop of {real(max_drop)} in {metric}: {evaluations}{" "}
        evaluations
        {exhausted && ", which were all that it could have; there were more ideas"}.
      </p>
      <TradeOff search={search} />
      <Table<SearchTrial>
        caption="Trials, the original first"
        rows={trials}
        rowKey={(_, index) => index}
        columns={[
          {
            title: "Tried",
            heads: true,
            cell: (trial) => (
              <>
                {nameOf(trial)}
                {best !== null && trial === trials[best] && <strong> · best</strong>}
              </>
            ),
          },
          { title: metric, number: true, cell: (trial) => real(trial.metric) },
          { title: "Drop", number: true, cell: ({ drop }) => real(drop) },
          { title: "Size", number: true, cell: (trial) => trial.bytes && bytes(trial.bytes) },
          {
            title: "Latency",
            number: true,
            cell: ({ latency_ms }) => (latency_ms === null ? "–" : milliseconds(latency_ms)),
          },
          {
            title: "On the curve",
            cell: ({ on_curve, refusal }) => refusal ?? (on_curve ? "yes" : "no"),
          },
          {
            title: "Model",
            cell: ({ model_id: id }) => id && <a href={to(["models", id])}>{id}</a>,
          },
        ]}
      />
    </>
  );
}
