import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { DataType } from "../../../src/onnx/data-type.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";
import { OutputComparer } from "../../../src/verify/compare.ts";
import { tensorOf } from "../../../src/verify/elements.ts";
import { float32 } from "../runtime/models.ts";

interface Case {
  a: number[];
  b: number[];
  cosine: number;
  sqnr_db: number;
  max_abs_error: number;
  argmax_agreement: number;
}
const cases: Case[] = JSON.parse(
  readFileSync(`${import.meta.dirname}/../../goldens/verify/comparisons.json`, "utf8"),
);

function compare(a: HostTensor, b: HostTensor | undefined) {
  const comparer = new OutputComparer("y");
  comparer.add(a, b);
  return { ...comparer.finish(), failure: comparer.failure };
}
const floats = (...values: number[]): HostTensor => float32([values.length], values);

describe("comparing outputs", () => {
  it("agrees with numpy", () => {
    for (const { a, b, ...expected } of cases) {
      const found = compare(float32([3, 7], a), float32([3, 7], b));
      expect(found.cosine).toBeCloseTo(expected.cosine, 12);
      expect(found.sqnrDb).toBeCloseTo(expected.sqnr_db, 9);
      expect(found.maxAbsError).toBe(expected.max_abs_error);
      expect(found.argmaxAgreement).toBeCloseTo(expected.argmax_agreement, 12);
    }
  });

  it("the worst sample counts", () => {
    const comparer = new OutputComparer("y");
    comparer.add(floats(1, 0), floats(1, 0));
    comparer.add(floats(1, 0), floats(1, 1));
    expect(comparer.finish()).toMatchObject({ sqnrDb: 0, maxAbsError: 1 });
    expect(comparer.finish().cosine).toBeCloseTo(Math.SQRT1_2, 12);
  });

  it("equal outputs are 200 dB, zeros have no figure", () => {
    expect(compare(floats(1, -2), floats(1, -2))).toMatchObject({ cosine: 1, sqnrDb: 200 });
    expect(compare(floats(0, 0), floats(0, 0))).toMatchObject({
      cosine: null,
      sqnrDb: null,
      maxAbsError: 0,
    });
    expect(compare(floats(0, 0), floats(0, 1))).toMatchObject({ cosine: 0, sqnrDb: -100 });
    expect(compare(floats(0, 1), floats(0, 0))).toMatchObject({ cosine: 0, sqnrDb: 0 });
  });

  it("what rounding leaves of a saturated sigmoid has no figure, a signal in its place has", () => {
    expect(compare(floats(1e-7, 0), floats(2e-7, 0))).toMatchObject({ sqnrDb: null, cosine: null });
    expect(compare(floats(1e-7, 0), floats(0.5, 0)).sqnrDb).toBe(-100);
  });

  it("one number has no cosine but a relative error", () => {
    const found = compare(floats(2), floats(1));
    expect(found.cosine).toBeNull();
    expect(found.sqnrDb).toBeCloseTo(20 * Math.log10(2), 12);
  });

  it("NaN and Inf are equal where both have them and fail where only the result does", () => {
    expect(compare(floats(NaN, 1, Infinity), floats(NaN, 1, Infinity))).toMatchObject({
      sqnrDb: 200,
      failure: null,
    });
    expect(compare(floats(-Infinity, 1), floats(-65504, 1)).failure).toBeNull();
    const lost = compare(floats(1, 2), floats(NaN, 2));
    expect(lost).toMatchObject({ cosine: 0, sqnrDb: -100, maxAbsError: null });
    expect(lost.failure).toBe('output "y" has NaN where the original has none');
    expect(compare(floats(1, 2), floats(1, Infinity)).failure).toContain("has Inf");
    expect(compare(floats(1, Infinity), floats(1, -Infinity)).failure).toContain("has Inf");
  });

  it("another shape, another kind or a missing output fails", () => {
    expect(compare(floats(1, 2), float32([1, 2], [1, 2])).failure).toContain("shape [1, 2]");
    const integers = tensorOf(DataType.int32, [2], (i) => i);
    expect(compare(floats(1, 2), integers).failure).toContain("is int32");
    expect(compare(floats(1, 2), undefined)).toMatchObject({ cosine: 0, sqnrDb: -100 });
  });

  it("floats of another width are compared by value", () => {
    const half = tensorOf(DataType.float16, [2], (i) => i + 0.5);
    expect(compare(floats(0.5, 1.5), half)).toMatchObject({ dataType: "float16", sqnrDb: 200 });
  });

  it("integers have the share that is equal", () => {
    const a = tensorOf(DataType.int64, [4], (i) => i);
    const b = tensorOf(DataType.int64, [4], (i) => (i === 3 ? 5 : i));
    expect(compare(a, b)).toMatchObject({
      equal: 0.75,
      maxAbsError: 2,
      cosine: null,
      sqnrDb: null,
    });
  });
});
