import { beforeAll, describe, expect, test } from "vitest";
import { calibrate } from "../../../src/calibrate/calibrate.ts";
import { givenInputs, madeUpInputs } from "../../../src/calibrate/inputs.ts";
import { observedValues } from "../../../src/calibrate/observed.ts";
import { type CalibrationOptions, calibrationSettings } from "../../../src/calibrate/settings.ts";
import { makeNode } from "../../../src/graph/build.ts";
import { DataType, elementCount, rawByteLength } from "../../../src/onnx/data-type.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { prepareStatic } from "../../../src/quantize/static/prepare.ts";
import type { StaticOptions } from "../../../src/quantize/static.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { HostTensor, Runtime } from "../../../src/runtime/runtime.ts";
import { graphOf, modelOf, weight } from "../quantize/dynamic/models.ts";
import { golden, parse, RUNS } from "../quantize/static/goldens.ts";

let runtime: Runtime;
beforeAll(async () => void (runtime = await nodeRuntime()));

/** The samples of a golden, run by run. */
function samplesOf({ graph }: Model, packed: Record<string, string>) {
  const inputs = graph.inputs.map(({ name, type }) => {
    if (type?.kind !== "tensor") throw new TypeError(`input ${name}`);
    const dataType = type.elementType as DataType;
    const dims = (type.shape ?? []).map((dim) => (typeof dim === "number" ? dim : 2));
    const bytes = new Uint8Array(Buffer.from(packed[name] ?? "", "base64"));
    return { name, dataType, dims, bytes, size: rawByteLength(dataType, elementCount(dims)) };
  });
  const runs = (inputs[0]?.bytes.length ?? 0) / (inputs[0]?.size ?? 1);
  return Array.from({ length: runs }, (_, run) =>
    Object.fromEntries(
      inputs.map(({ name, dataType, dims, bytes, size }): [string, HostTensor] => [
        name,
        { dataType, dims, bytes: bytes.slice(run * size, (run + 1) * size) },
      ]),
    ),
  );
}

async function found(
  model: Model,
  options: StaticOptions & CalibrationOptions,
  samples?: Record<string, HostTensor>[],
  on = runtime,
) {
  prepareStatic(model);
  const observed = await observedValues(model, options);
  const inputs = samples ? givenInputs(samples) : await madeUpInputs(model);
  return await calibrate(model, observed, calibrationSettings(options), inputs, on);
}

describe("a model's ranges are those that onnxruntime's calibrator finds", () => {
  test.each(RUNS)("$target $options", async ({ source, samples, options, ranges }) => {
    const model = await parse(golden(source));
    const { ranges: mine } = await found(model, options, samplesOf(model, samples));
    expect([...mine.keys()].toSorted()).toEqual(Object.keys(ranges).toSorted());
    for (const [name, [low, high]] of Object.entries(ranges)) {
      // Other kernels sum in another order.
      const near = 1e-5 * Math.max(Math.abs(low), Math.abs(high), 1e-30);
      const range = mine.get(name);
      expect(Math.abs((range?.low ?? NaN) - low), `${name}: ${range?.low} ${low}`).toBeLessThan(
        near,
      );
      expect(Math.abs((range?.high ?? NaN) - high), name).toBeLessThan(near);
    }
  });
});

const chain = () => {
  const nodes = [
    makeNode("MatMul", ["x", "w"], ["a"]),
    makeNode("Sqrt", ["a"], ["b"]),
    makeNode("Add", ["b", "a"], ["y"]),
  ];
  return modelOf(graphOf(nodes, { x: [2, 6] }, { y: [2, 6] }, [weight("w", [6, 6])]));
};

test("a value that is NaN has no range, and says so; the others have theirs", async () => {
  const { ranges, unusable } = await found(chain(), {});
  expect([...ranges.keys()].toSorted()).toEqual(["a", "x"]);
  expect([...unusable.keys()].toSorted()).toEqual(["b", "y"]);
  expect(unusable.get("b")).toMatch(/NaN or Inf/);
});

test("inputs that are made up say that they are, and are the same each time", async () => {
  const [first, second] = [await found(chain(), {}), await found(chain(), {})];
  expect(first).toMatchObject({ isMadeUp: true, inputs: "made up, 2" });
  expect(second.ranges).toEqual(first.ranges);
});

test("values that do not fit the memory at once are observed part by part", async () => {
  const most: number[] = [];
  const tight: Runtime = {
    ...runtime,
    name: "tight",
    maxModelBytes: runtime.maxModelBytes,
    async load(bytes) {
      const session = await runtime.load(bytes);
      if (session.outputNames.length <= 2) return session;
      await session.release();
      most.push(session.outputNames.length);
      const error = new Error("too large");
      error.name = "DoesNotFitError";
      throw error;
    },
  };
  const parts = await found(
    chain(),
    { op_types_to_quantize: ["MatMul", "Sqrt"] },
    undefined,
    tight,
  );
  const whole = await found(chain(), { op_types_to_quantize: ["MatMul", "Sqrt"] });
  expect(most).toEqual([3]);
  expect(parts).toEqual(whole);
});

test("a sample that the model does not take is named as the fault", async () => {
  const wrong = { dataType: DataType.float32, dims: [2, 5], bytes: new Uint8Array(40) };
  await expect(found(chain(), {}, [{ x: wrong }])).rejects.toThrow(
    /does not run on the samples.*Got: 5 Expected: 6/s,
  );
});
