/** @file The result of a training: the model that was given, with the vector's values in the place of its weights. */
import { normalise } from "../autodiff/normalise.ts";
import { cloneModel } from "../graph/clone.ts";
import { makeTensor } from "../graph/build.ts";
import { constantTensor } from "../graph/constants.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import { quantizeResult } from "./fake-quantize/result.ts";
import type { OperandUse } from "./fake-quantize/operands.ts";
import type { ActivationRange } from "./fake-quantize/emit.ts";
import { entryValues, type Layout } from "./layout.ts";
import { type Adapter, merged } from "./lora.ts";
import type { QatSettings } from "./options.ts";
import { readFloats } from "./read-floats.ts";

export interface ResultParts {
  original: Model;
  layout: Layout;
  adapters: readonly Adapter[];
  rounding:
    | { settings: QatSettings; uses: readonly OperandUse[]; ranges: readonly ActivationRange[] }
    | undefined;
}

/** @throws RangeError when the vector's length is not the layout's, or no step was run that saw the activations' ranges */
export async function resultModel(parts: ResultParts, vector: Float32Array): Promise<Model> {
  const { original, layout, adapters, rounding } = parts;
  if (vector.length !== layout.length) {
    throw new RangeError(
      `train: the vector has ${vector.length} elements, the layout ${layout.length}`,
    );
  }
  const values = new Map(
    layout.entries.map((entry) => [entry.name, entryValues(vector, entry)] as const),
  );
  const inputs = new Set(adapters.flatMap(({ a, b }) => [a, b]));
  for (const { min, max } of rounding?.ranges ?? []) inputs.add(min.name).add(max.name);
  const written = layout.entries.filter(({ name }) => !inputs.has(name));
  const names = [...written.map(({ name }) => name), ...adapters.map(({ weight }) => weight)];
  const outputs = (rounding?.uses ?? []).map(({ output }) => output);
  const result = await baseModel(original, names, outputs);
  for (const { name, dims } of written) {
    setWeight(result, name, dims, values.get(name) ?? new Float32Array());
  }
  for (const adapter of adapters) {
    const weight = result.graph.initializers.get(adapter.weight);
    const [a, b] = [values.get(adapter.a), values.get(adapter.b)];
    if (!weight || !a || !b) continue;
    const sum = merged(await readFloats(weight), adapter, a, b);
    setWeight(result, adapter.weight, weight.dims, sum);
  }
  return rounding ? await quantizeResult(result, rounding, values) : result;
}

/**
 * A copy of the original in which all these names are initializers, also those that were Constant nodes or
 * copies by Identity, and all these outputs are made by nodes. Where one is inside a function, the
 * normalised form is the base.
 */
async function baseModel(
  original: Model,
  names: readonly string[],
  outputs: readonly string[],
): Promise<Model> {
  const copy = cloneModel(original);
  const made = new Set(copy.graph.nodes.flatMap((node) => node.outputs));
  const isWhole = outputs.every((name) => made.has(name));
  if (isWhole && names.every((name) => makeStored(copy, name))) return copy;
  const plain = await normalise(original);
  const missing = names.find((name) => !plain.graph.initializers.has(name));
  if (missing === undefined) return plain;
  throw new RangeError(`train: the model has no weight "${missing}"`);
}

function makeStored({ graph }: Model, name: string): boolean {
  if (graph.initializers.has(name)) return true;
  const index = graph.nodes.findIndex(({ outputs }) => outputs[0] === name);
  const node = graph.nodes[index];
  if (!node || node.domain !== "") return false;
  const tensor =
    node.opType === "Identity"
      ? graph.initializers.get(node.inputs[0] ?? "")
      : node.opType === "Constant" && constantTensor(node);
  if (!tensor) return false;
  graph.nodes.splice(index, 1);
  graph.initializers.set(name, { ...tensor, name });
  return true;
}

function setWeight(
  { graph }: Model,
  name: string,
  dims: readonly number[],
  values: Float32Array,
): void {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const tensor = makeTensor(name, DataType.float32, [...dims], bytes);
  graph.initializers.set(name, { ...graph.initializers.get(name), ...tensor });
}
