import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RangeCollector } from "../../../src/calibrate/range-collector.ts";
import { type CalibrationOptions, calibrationSettings } from "../../../src/calibrate/settings.ts";

interface ValueSet {
  name: string;
  runs: number;
  data: string;
  cases: { options: CalibrationOptions; range: [number, number] }[];
}

const SETS = JSON.parse(readFileSync("test/goldens/static/ranges.json", "utf8")) as ValueSet[];

function collected(options: CalibrationOptions, ...runs: Float32Array[]): RangeCollector {
  const collector = new RangeCollector(calibrationSettings(options));
  for (const values of runs) collector.observe(values);
  for (const values of runs) collector.count(values);
  return collector;
}

describe("percentile and entropy give onnxruntime's ranges, to the last bit", () => {
  test.each(SETS)("$name", ({ runs, data, cases }) => {
    const all = new Float32Array(new Uint8Array(Buffer.from(data, "base64")).buffer);
    const length = all.length / runs;
    const parts = Array.from({ length: runs }, (_, i) => all.slice(i * length, (i + 1) * length));
    expect(cases.length).toBeGreaterThan(4);
    const found = cases.map(({ options }) => {
      const { low, high } = collected(options, ...parts).range() ?? { low: NaN, high: NaN };
      return { options, range: [low, high] };
    });
    expect(found).toEqual(cases);
  });
});

describe("minmax", () => {
  const runs = [Float32Array.of(-1, 2), Float32Array.of(0.5, 3), Float32Array.of(-0.25, 8)];

  test("takes the extremes of all runs", () => {
    expect(collected({}, ...runs).range()).toEqual({ min: -1, max: 8, low: -1, high: 8 });
  });

  test("takes the mean of the runs' extremes where that is asked for", () => {
    const range = collected({ calibration_moving_average: true }, ...runs).range();
    expect(range).toMatchObject({ low: -0.25, high: Math.fround(13 / 3), min: -1, max: 8 });
  });

  test("is symmetric where that is asked for", () => {
    const range = collected({ calibration_range_symmetric: true }, ...runs).range();
    expect(range).toMatchObject({ low: -8, high: 8 });
  });
});

test.each([NaN, Infinity, -Infinity])("values with %d have no range", (x) => {
  for (const calibrate_method of ["minmax", "percentile", "entropy"] as const) {
    const collector = collected({ calibrate_method }, Float32Array.of(1, 2), Float32Array.of(x, 3));
    expect(collector.range()).toBeUndefined();
  }
});

test("no values at all have the range 0 to 0", () => {
  expect(collected({}, new Float32Array(0)).range()).toEqual({ min: 0, max: 0, low: 0, high: 0 });
});

test.each([
  [{ percentile: 101 }, /percentile is 101, must be 0 to 100/],
  [{ calibrate_method: "entropy", calibration_bins: 64 }, /calibration_bins is 64, must be 128/],
  [{ calibrate_method: "mean" }, /calibrate_method is "mean"/],
])("%j is refused", (options, message) => {
  expect(() => calibrationSettings(options as CalibrationOptions)).toThrow(message);
});
