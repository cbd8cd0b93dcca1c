import { describe, expect, it } from "vitest";

import { chain, chainAnswer, float32, uniform } from "../../core/runtime/models.ts";
import { edgeRuntime } from "../../../src/runtime/edge.ts";
import { verify } from "../../../src/verify/verify.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { heapBytes } from "./bound-runtime.ts";

const runtime = edgeRuntime();
const MIB = 1024 * 1024;

async function largestError(layers: number, width: number): Promise<number> {
  const session = await runtime.load(await chain(layers, width));
  const x = uniform(width, 1, 99);
  const { y } = await session.run({ x: float32([1, width], x) });
  await session.release();
  const values = new Float32Array(y?.bytes.slice().buffer ?? new ArrayBuffer(0));
  const answer = chainAnswer(layers, width, x);
  expect(values.length).toBe(width);
  return Math.max(...answer.map((value, i) => Math.abs(value - (values[i] ?? Infinity))));
}

describe("ONNX Runtime inside workerd", () => {
  it("computes what the model says", async () => {
    expect(await largestError(2, 64)).toBeLessThan(1e-5);
  });

  it("says why bytes are not a model", async () => {
    await expect(runtime.load(new TextEncoder().encode("hello"))).rejects.toThrow(
      /could not load the model/,
    );
  });

  it("loads 28 MB of weights in less than 56 MiB", async () => {
    expect(await largestError(7, 1000)).toBeLessThan(1e-4);
    expect(await heapBytes()).toBeLessThanOrEqual(56 * MIB);
  });

  it("refuses a model above its limit and still runs a small one", async () => {
    await expect(runtime.load(new Uint8Array(32_000_001))).rejects.toThrow(
      /does not fit the isolate/,
    );
    expect(await largestError(1, 16)).toBeLessThan(1e-5);
  });

  it("reports an overflow of its memory and still runs a small model", async () => {
    const width = 64;
    const session = await runtime.load(await chain(2, width));
    const rows = 100_000;
    const wide = { x: float32([rows, width], new Float32Array(rows * width)) };
    await expect(session.run(wide)).rejects.toThrow(/does not fit the isolate/);
    await session.release();
    expect(await largestError(2, 64)).toBeLessThan(1e-5);
  });

  it("verifies a result beside its original", async () => {
    const bytes = await chain(2, 64);
    const model = await readModel(new MemorySource(bytes));
    const verification = await verify(bytes, bytes, { model, runtime });
    expect(verification).toMatchObject({ loaded: true, ran: true, reason: null, minSqnrDb: 200 });
    expect(verification.runtime).toContain("workerd");
  });
});
