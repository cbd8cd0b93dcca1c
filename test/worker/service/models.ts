/** @file Small models as files: a linear layer whose weight is large enough to be worth quantizing. */
import { makeFloat32, makeNode, makeTensor } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model, ValueInfo } from "../../../src/onnx/model.ts";
import { MemorySink } from "../../../src/onnx/source.ts";
import { planModel } from "../../../src/onnx/write-model.ts";

/** Deterministic values in -1…1 (a linear congruential generator, Numerical Recipes' constants). */
function values(count: number, seed: number): number[] {
  let state = seed >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function info(name: string, shape: (number | string)[]): ValueInfo {
  return { name, type: { kind: "tensor", elementType: DataType.float32, shape } };
}

/** y = x·w with w of [rows, columns]; the seed makes different files. */
export function linear(rows = 64, columns = 64, seed = 1): Model {
  return {
    irVersion: 9,
    opsetImports: [{ domain: "", version: 17 }],
    producerName: "hone-test",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph: {
      name: "linear",
      docString: "",
      nodes: [makeNode("MatMul", ["x", "w"], ["y"], { name: "fc" })],
      initializers: new Map([
        ["w", makeFloat32("w", values(rows * columns, seed), [rows, columns])],
      ]),
      sparseInitializers: [],
      inputs: [info("x", ["batch", rows])],
      outputs: [info("y", ["batch", columns])],
      valueInfos: [],
      metadata: [],
    },
    metadata: [],
    functions: [],
  };
}

export async function fileOf(model: Model): Promise<Uint8Array<ArrayBuffer>> {
  const plan = planModel(model);
  const sink = new MemorySink(plan.byteLength);
  await plan.write(sink);
  return new Uint8Array(sink.bytes);
}

export async function linearFile(rows?: number, columns?: number, seed?: number) {
  return await fileOf(linear(rows, columns, seed));
}

/** The same with two Identity nodes and a weight twice: y = x·w, and z = x·w of the copy. */
export async function untidyFile(rows = 64, columns = 64, seed = 1) {
  const model = linear(rows, columns, seed);
  const { graph } = model;
  const weight = graph.initializers.get("w");
  if (weight) graph.initializers.set("copy", { ...weight, name: "copy" });
  graph.nodes = [
    makeNode("Identity", ["x"], ["a"]),
    makeNode("MatMul", ["a", "w"], ["b"], { name: "fc" }),
    makeNode("Identity", ["b"], ["y"]),
    makeNode("MatMul", ["x", "copy"], ["c"]),
    makeNode("Neg", ["c"], ["z"]),
  ];
  graph.outputs.push(info("z", ["batch", columns]));
  return await fileOf(model);
}

/** y = x·0 with `side`² weights, which cost no time to make: a large file. */
export async function blankFile(side: number) {
  const model = linear(2, 2);
  const { initializers, inputs, outputs } = model.graph;
  const zeros = new Uint8Array(side * side * 4);
  initializers.set("w", makeTensor("w", DataType.float32, [side, side], zeros));
  for (const each of [...inputs, ...outputs]) each.type = info(each.name, ["batch", side]).type;
  return await fileOf(model);
}

/** The model and, apart, its weights. */
export async function linearWithExternalData(location: string, seed = 1) {
  const plan = planModel(linear(64, 64, seed), { external: { location } });
  const model = new MemorySink(plan.byteLength);
  await plan.write(model);
  const weights = new MemorySink(plan.external?.byteLength ?? 0);
  await plan.external?.write(weights);
  return { model: new Uint8Array(model.bytes), weights: new Uint8Array(weights.bytes) };
}
