/** @file What each rank does with its time: one lane a rank, the parts of its step in proportion. */
import type { RankFigures } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { bytes, milliseconds, whole } from "../format.ts";
import { Table } from "../parts/table.tsx";

const PARTS = [
  { field: "compute_ms", name: "compute", means: "compute" },
  { field: "allreduce_ms", name: "allreduce", means: "allreduce, with waiting for other ranks" },
  { field: "wait_ms", name: "idle", means: "idle: no rows yet" },
] as const;

export function Lanes({ ranks }: { ranks: readonly RankFigures[] }) {
  const total = (rank: RankFigures) => rank.compute_ms + rank.allreduce_ms + rank.wait_ms;
  const longest = Math.max(...ranks.map(total), Number.MIN_VALUE);
  const stale = ranks.some(({ staleness }) => staleness !== null);
  return (
    <>
      <p class="legend">
        {PARTS.map(({ name, means }, index) => (
          <span key={name}>
            <svg width="12" height="12" aria-hidden="true">
              <rect class={`part p${index}`} width="12" height="12" />
            </svg>{" "}
            {means}
          </span>
        ))}
      </p>
      <Table
        caption="Ranks: the time of one step"
        rows={ranks}
        rowKey={({ rank }) => rank}
        empty="No rank has reported yet."
        columns={[
          { title: "Rank", cell: ({ rank }) => rank, heads: true },
          { title: "Step", number: true, cell: ({ step }) => whole(step) },
          { title: "Lane", quiet: true, cell: (rank) => <Lane rank={rank} longest={longest} /> },
          ...PARTS.map(({ field, name }) => ({
            title: name,
            number: true,
            cell: (rank: RankFigures) => milliseconds(rank[field]),
          })),
          ...(stale
            ? [
                {
                  title: "Staleness",
                  number: true,
                  cell: ({ staleness }: RankFigures) => staleness ?? "–",
                },
              ]
            : []),
          { title: "Sent", number: true, cell: ({ bytes_sent }) => bytes(bytes_sent) },
        ]}
      />
    </>
  );
}

function Lane({ rank, longest }: { rank: RankFigures; longest: number }) {
  let x = 0;
  return (
    <svg
      class="lane"
      viewBox="0 0 100 14"
      preserveAspectRatio="none"
      width="100%"
      height="14"
      aria-hidden="true"
    >
      <rect class="track" width="100" height="14" />
      {PARTS.map(({ field }, index) => {
        const width = (100 * rank[field]) / longest;
        const start = x;
        x += width;
        return <rect key={field} class={`part p${index}`} x={start} width={width} height="14" />;
      })}
    </svg>
  );
}
