import { expect, it } from "vitest";

import { makeNode } from "../../../src/graph/build.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nativeRuntime } from "../../../src/runtime/native.ts";
import { model, valueInfo } from "./models.ts";

it("residents stay between runs, and outputs are freed with those of their run", async () => {
  const inputs = [valueInfo("x", 1, [2]), valueInfo("w", 1, [2])];
  const nodes = [makeNode("Add", ["x", "w"], ["y"]), makeNode("Mul", ["x", "w"], ["z"])];
  const bytes = await modelBytes(
    model(nodes, inputs, [valueInfo("y", 1), valueInfo("z", 1)], [], 18),
  );
  const runtime = nativeRuntime();
  const session = await runtime.loadResident(bytes);
  const residents = runtime.allocate([{ name: "w", dims: [2] }]);
  const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
  residents.write("w", 4, floats(10));
  for (let run = 0; run < 2; run++) {
    const feeds = { x: { dataType: 1 as const, dims: [2], bytes: floats(1, 2) } };
    const outputs = await session.run(feeds, residents);
    const y = await outputs.read("y");
    expect([...new Float32Array(y?.bytes.buffer ?? new ArrayBuffer())]).toEqual([1, 12]);
    outputs.dispose();
    expect(y?.bytes.byteLength).toBe(0);
  }
  residents.dispose();
  await session.release();
});
