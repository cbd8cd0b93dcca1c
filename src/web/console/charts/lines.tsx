/** @file Curves over steps, drawn by hand as SVG, with the same figures as a table. */
import { useState } from "preact/hooks";
import { real, whole } from "../format.ts";
import { Table } from "../parts/table.tsx";
import { ticks } from "./scale.ts";
import { useWidth } from "./use-width.ts";

export interface Series {
  name: string;
  /** `null` where there is no figure. */
  points: readonly (readonly [x: number, y: number | null])[];
}

const HEIGHT = 240;
const MARGIN = { top: 12, right: 12, bottom: 28, left: 52 };
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
  const [low, high] = bounds(ys, fromZero);
  const [start, end] = [0, Math.max(xMax ?? 0, xs.at(-1) ?? 0, 1)];
  const inner = Math.max(0, width - MARGIN.left - MARGIN.right);
  const x = (value: number) => MARGIN.left + ((value - start) / (end - start)) * inner;
  const y = (value: number) =>
    HEIGHT - MARGIN.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
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
            onPointerMove={(event) => {
              const value = start + ((event.offsetX - MARGIN.left) / inner) * (end - start);
              setAt(nearest(xs, value));
            }}
            onPointerLeave={() => setAt(undefined)}
          >
            {ticks(low, high, 4).map((value) => (
              <g key={value}>
                <line
                  class="grid"
                  x1={MARGIN.left}
                  x2={width - MARGIN.right}
                  y1={y(value)}
                  y2={y(value)}
                />
                <text x={MARGIN.left - 8} y={y(value) + 4} text-anchor="end">
                  {real(value)}
                </text>
              </g>
            ))}
            {ticks(start, end, width > 500 ? 8 : 4)
              .filter(Number.isInteger)
              .map((value) => (
                <text key={value} x={x(value)} y={HEIGHT - 8} text-anchor="middle">
                  {real(value)}
                </text>
              ))}
            {read !== undefined && (
              <line
                class="cursor"
                x1={x(read)}
                x2={x(read)}
                y1={MARGIN.top}
                y2={HEIGHT - MARGIN.bottom}
              />
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

function bounds(values: readonly number[], fromZero: boolean): [number, number] {
  if (values.length === 0) return [0, 1];
  const low = fromZero ? Math.min(0, ...values) : Math.min(...values);
  const high = Math.max(...values);
  if (high === low) return [low - 0.5, high + 0.5];
  const room = (high - low) * 0.04;
  return [low < 0 || !fromZero ? low - room : low, high + room];
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
