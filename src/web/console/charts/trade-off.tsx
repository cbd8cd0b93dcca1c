/** @file What a search tried, by what a model costs and how good it is: the curve that nothing beats, and the bound. */
import { useState } from "preact/hooks";
import type {
  SearchReport,
  SearchTrial,
} from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { bytes, count, milliseconds, real } from "../format.ts";
import { Axes, frameOf, HEIGHT, rangeOf } from "./axes.tsx";
import { useWidth } from "./use-width.ts";

interface Point {
  trial: SearchTrial;
  cost: number;
  metric: number;
  kind: "best" | "curve" | "beaten";
}

const KINDS = [
  ["best", "the result"],
  ["curve", "on the curve"],
  ["beaten", "beaten by another"],
] as const;

/** The same figures stand in the table of trials. */
export function TradeOff({ search }: { search: SearchReport }) {
  const { metric, minimize, max_drop } = search;
  const [place, width] = useWidth();
  const [read, setRead] = useState<Point>();
  const points = pointsOf(search);
  const costText = minimize === "bytes" ? bytes : milliseconds;
  const original = points[0]?.metric;
  // A loss is better where it is lower.
  const bound =
    original === undefined
      ? undefined
      : original + (metric.endsWith("accuracy") ? -max_drop : max_drop);
  const [, mostCost] = rangeOf(
    points.map(({ cost }) => cost),
    true,
  );
  const metrics = points.map((each) => each.metric);
  const frame = frameOf(
    width,
    [0, mostCost],
    rangeOf(bound === undefined ? metrics : [...metrics, bound], false),
  );
  const { x, y } = frame;
  const curve = points
    .filter(({ trial }) => trial.on_curve)
    .sort((a, b) => a.cost - b.cost)
    .map((point) => `${x(point.cost).toFixed(1)} ${y(point.metric).toFixed(1)}`);
  const best = points.find(({ kind }) => kind === "best");
  const shown = read ?? best ?? points[0];
  const text = ({ trial, cost, metric: value }: Point) =>
    `${nameOf(trial)}: ${costText(cost)}, ${metric} ${real(value)}`;
  return (
    <figure class="chart">
      <figcaption>
        <strong>
          {metric} by {minimize}
        </strong>
        <span class="legend">
          {KINDS.map(([kind, means]) => (
            <span key={kind}>
              <svg width="14" height="14" aria-hidden="true">
                <Mark kind={kind} x={7} y={7} />
              </svg>{" "}
              {means}
            </span>
          ))}
          <span>
            <svg width="18" height="10" aria-hidden="true">
              <line class="bound" x1="1" x2="17" y1="5" y2="5" />
            </svg>{" "}
            a drop of {real(max_drop)}
          </span>
        </span>
        <span class="faint">{shown && text(shown)}</span>
      </figcaption>
      <div ref={place} class="plot">
        {width > 0 && (
          <svg
            width={width}
            height={HEIGHT}
            role="img"
            aria-label={`${metric} by ${minimize} of ${count(points.length, "model")}. ${best ? `The result: ${text(best)}` : "Nothing meets the goal"}`}
            onPointerMove={({ offsetX, offsetY }) => {
              const away = (point: Point) =>
                Math.hypot(x(point.cost) - offsetX, y(point.metric) - offsetY);
              setRead(points.toSorted((a, b) => away(a) - away(b))[0]);
            }}
            onPointerLeave={() => setRead(undefined)}
          >
            <Axes frame={frame} xText={costText} yText={real} />
            {bound !== undefined && (
              <line class="bound" x1={frame.left} x2={frame.right} y1={y(bound)} y2={y(bound)} />
            )}
            <g class="series s0">
              <path d={curve.length > 1 ? `M${curve.join("L")}` : ""} fill="none" />
            </g>
            {points.map((point, index) => (
              <Mark key={index} kind={point.kind} x={x(point.cost)} y={y(point.metric)} />
            ))}
          </svg>
        )}
      </div>
    </figure>
  );
}

/** Told apart by form, too. */
function Mark({ kind, x, y }: { kind: Point["kind"]; x: number; y: number }) {
  if (kind === "best") {
    return (
      <rect
        class="mark best"
        x={x - 5}
        y={y - 5}
        width="10"
        height="10"
        transform={`rotate(45 ${x} ${y})`}
      />
    );
  }
  return <circle class={`mark ${kind}`} cx={x} cy={y} r={kind === "curve" ? 4 : 3.5} />;
}

function pointsOf({ trials, minimize, best }: SearchReport): Point[] {
  return trials.flatMap((trial, index) => {
    const cost = minimize === "bytes" ? trial.bytes : trial.latency_ms;
    const { metric, on_curve } = trial;
    if (cost === null || metric === null) return [];
    const kind = index === best ? "best" : on_curve ? "curve" : "beaten";
    return [{ trial, cost, metric, kind }];
  });
}

export function nameOf({ method, excluded_nodes }: SearchTrial): string {
  return excluded_nodes > 0 ? `${method}, ${count(excluded_nodes, "node")} left` : method;
}
