/** @file The frame of a chart that is drawn by hand: where values lie in it, lines across it, figures along it. */
import { ticks } from "./scale.ts";

/** In CSS pixels. */
export const HEIGHT = 240;
const MARGIN = { top: 12, right: 12, bottom: 28, left: 52 };

export interface Frame {
  width: number;
  /** Of the drawn part. */
  left: number;
  right: number;
  top: number;
  bottom: number;
  xRange: readonly [low: number, high: number];
  yRange: readonly [low: number, high: number];
  /** Where a value lies. */
  x: (value: number) => number;
  y: (value: number) => number;
  /** The value at a place. */
  xAt: (place: number) => number;
}

export function frameOf(
  width: number,
  xRange: readonly [number, number],
  yRange: readonly [number, number],
): Frame {
  const [left, right] = [MARGIN.left, Math.max(MARGIN.left, width - MARGIN.right)];
  const [top, bottom] = [MARGIN.top, HEIGHT - MARGIN.bottom];
  const [[start, end], [low, high]] = [xRange, yRange];
  return {
    width,
    left,
    right,
    top,
    bottom,
    xRange,
    yRange,
    x: (value) => left + ((value - start) / (end - start)) * (right - left),
    y: (value) => bottom - ((value - low) / (high - low)) * (bottom - top),
    xAt: (place) => start + ((place - left) / (right - left)) * (end - start),
  };
}

export function Axes({
  frame: { width, left, right, xRange, yRange, x, y },
  xText,
  yText,
  wholeX = false,
}: {
  frame: Frame;
  xText: (value: number) => string;
  yText: (value: number) => string;
  /** There is nothing between the whole numbers. */
  wholeX?: boolean;
}) {
  return (
    <>
      {ticks(...yRange, 4).map((value) => (
        <g key={value}>
          <line class="grid" x1={left} x2={right} y1={y(value)} y2={y(value)} />
          <text x={left - 8} y={y(value) + 4} text-anchor="end">
            {yText(value)}
          </text>
        </g>
      ))}
      {ticks(...xRange, width > 500 ? 8 : 4)
        .filter((value) => !wholeX || Number.isInteger(value))
        .map((value) => (
          <text key={value} x={x(value)} y={HEIGHT - 8} text-anchor="middle">
            {xText(value)}
          </text>
        ))}
    </>
  );
}

/** From the least to the greatest, with room around; of nothing, 0 to 1. */
export function rangeOf(values: readonly number[], fromZero: boolean): [number, number] {
  if (values.length === 0) return [0, 1];
  const low = fromZero ? Math.min(0, ...values) : Math.min(...values);
  const high = Math.max(...values);
  if (high === low) return [low - 0.5, high + 0.5];
  const room = (high - low) * 0.04;
  return [low < 0 || !fromZero ? low - room : low, high + room];
}
