/** @file Curves over steps, drawn by hand as SVG, with the same figures as a table. */
import { useState } from "preact/hooks";
import { real, whole } from "../format.ts";
import { Table } from "../parts/table.tsx";
import { Axes, frameOf, HEIGHT, rangeOf } from "./axes.tsx";
import { useWidth } from "./use-width.ts";

export interface Series {
  name: string;
  /** `null` where there is no figure. */
  points: readonly (readonly [x: number, y: number | null])[];
}

/** Rows of the table of figures. */
const MAX_ROWS = 50;

export function Lines({
  title,
  xLabel,
  series,
  fromZero = false,
  xMax,
}: {
  title: string;
  xLabel: string;
  series: readonly Series[];
  fromZero?: boolean;
  /** Where the axis ends, known beforehand: a curve that grows does not rescale. */
  xMax?: number | undefined;
}) {
  const [place, width] = useWidth();
  const [at, setAt] = useState<number>();
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort(
    (a, b) => a - b,
  );
  const ys = series.flatMap(({ points }) => points.flatMap(([, y]) => (y === null ? [] : [y])));
  const end = Math.max(xMax ?? 0, xs.at(-1) ?? 0, 1);
  const frame = frameOf(width, [0, end], rangeOf(ys, fromZero));
  const { x, y } = frame;
  const read = at ?? xs.at(-1);
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong>
        <span class="legend">
          {series.map(({ name, points }, index) => (
            <span key={name}>
              <svg width="18" height="10" aria-hidden="true">
                <line class={`series s${index}`} x1="1" x2="17" y1="5" y2="5" />
              </svg>{" "}
              {name} <b>{real(valueAt(points, read))}</b>
            </span>
          ))}
          <span class="faint">{read === undefined ? "" : `at ${xLabel} ${whole(read)}`}</span>
        </span>
      </figcaption>
      <div ref={place} class="plot">
        {width > 0 && (
          <svg
            width={width}
            height={HEIGHT}
            role="img"
            aria-label={`${title}. ${series.map(summary).join(". ")}`}
            onPointerMove={(event) => setAt(nearest(xs, frame.xAt(event.offsetX)))}
            onPointerLeave={() => setAt(undefined)}
          >
            <Axes frame={frame} xText={real} yText={real} wholeX />
            {read !== undefined && (
              <line class="cursor" x1={x(read)} x2={x(read)} y1={frame.top} y2={frame.bottom} />
            )}
            {series.map(({ name, points }, index) => (
              <g key={name} class={`series s${index}`}>
                <path d={path(points, x, y)} fill="none" />
                {points.length <= 30 &&
                  points.map(
                    ([px, py]) => py !== null && <circle key={px} cx={x(px)} cy={y(py)} r="3" />,
                  )}
              </g>
            ))}
            {ys.length === 0 && (
              <text x={width / 2} y={HEIGHT / 2} text-anchor="middle">
                nothing yet
              </text>
            )}
          </svg>
        )}
      </div>
      <details>
        <summary>{title} as a table</summary>
        <Table
          caption={title}
          hidden
          rows={thinned(xs)}
          rowKey={(value) => value}
          empty="Nothing yet."
          columns={[
            { title: xLabel, cell: whole, heads: true },
            ...series.map(({ name, points }) => ({
              title: name,
              number: true,
              cell: (value: number) => real(valueAt(points, value)),
            })),
          ]}
        />
      </details>
    </figure>
  );
}

/** A gap where there is no figure. */
function path(
  points: Series["points"],
  x: (v: number) => number,
  y: (v: number) => number,
): string {
  let pen = "M";
  let d = "";
  for (const [px, py] of points) {
    if (py === null) {
      pen = "M";
      continue;
    }
    d += `${pen}${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
    pen = "L";
  }
  return d;
}

function valueAt(points: Series["points"], x: number | undefined): number | null {
  return points.find(([px]) => px === x)?.[1] ?? null;
}

function nearest(sorted: readonly number[], value: number): number | undefined {
  return sorted.reduce<number | undefined>(
    (best, each) =>
      best === undefined || Math.abs(each - value) < Math.abs(best - value) ? each : best,
    undefined,
  );
}

function summary({ name, points }: Series): string {
  const known = points.filter(([, value]) => value !== null);
  const [first] = known;
  const last = known.at(-1);
  if (!first || !last) return `${name}: nothing yet`;
  return `${name}: ${real(first[1])} at ${first[0]}, ${real(last[1])} at ${last[0]}`;
}

/** As many as a person reads, the last among them. */
function thinned(xs: readonly number[]): number[] {
  const every = Math.ceil(xs.length / MAX_ROWS);
  return xs.filter((_, index) => (xs.length - 1 - index) % every === 0);
}
