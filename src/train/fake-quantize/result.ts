/** @file The QDQ model that a quantization-aware training ends in: int8 weights, and rounding of activations with the ranges that were seen. */
import { readBy } from "../../autodiff/paths.ts";
import { makeInt } from "../../graph/attributes.ts";
import { makeFloat32, makeNode, makeTensor, opsetVersion } from "../../graph/build.ts";
import { Names } from "../../graph/scope.ts";
import { nodeLabel } from "../../graph/weights.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Attribute, Model, Node, Tensor } from "../../onnx/model.ts";
import { ComputedData } from "../../onnx/tensor-data.ts";
import { liftOpset } from "../../opset/lift.ts";
import type { QatSettings } from "../options.ts";
import { readFloats } from "../read-floats.ts";
import type { ActivationRange } from "./emit.ts";
import type { OperandUse } from "./operands.ts";
import { activationParameters, weightCode, weightScale } from "./parameters.ts";

/** QuantizeLinear has an axis from here on. */
const LOWEST_OPSET = 13;

export interface Rounding {
  settings: QatSettings;
  uses: readonly OperandUse[];
  ranges: readonly ActivationRange[];
}

/**
 * @param model the trained float model; it is changed
 * @param values of the ranges' buffers, by name
 * @throws RangeError when no activation was ever seen, or a product is not in the model
 */
export async function quantizeResult(
  model: Model,
  { settings, uses, ranges }: Rounding,
  values: ReadonlyMap<string, Float32Array>,
): Promise<Model> {
  if ((opsetVersion(model) ?? 0) < LOWEST_OPSET) await liftOpset(model, LOWEST_OPSET);
  const { graph } = model;
  const names = new Names(model);
  const producers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node])),
  );
  const rounded = new Map<string, string>();
  /** Nodes to be put before the one that reads them first. */
  const before = new Map<Node, Node[]>();
  const seen = seenRanges(ranges, values);
  for (const { output, node: trained, input, operand } of uses) {
    if (operand.kind === "activation" && !seen.has(operand.name)) continue;
    const node = producers.get(output);
    if (!node) throw new RangeError(`train: qat: the model has no ${nodeLabel(trained)}`);
    const axis = operand.kind === "weight" ? operand.axis : undefined;
    const key = `${operand.name} ${axis}`;
    let value = rounded.get(key);
    if (value === undefined) {
      const nodes =
        operand.kind === "weight"
          ? await roundedWeight(model, names, operand.name, axis)
          : roundedActivation(model, names, operand.name, settings, seen.get(operand.name));
      value = nodes.at(-1)?.outputs[0] ?? "";
      rounded.set(key, value);
      before.set(node, [...(before.get(node) ?? []), ...nodes]);
    }
    node.inputs[input] = value;
  }
  graph.nodes = graph.nodes.flatMap((node) => [...(before.get(node) ?? []), node]);
  dropUnread(model, rounded.keys());
  return model;
}

interface Range {
  min: number;
  max: number;
}

/**
 * By activation. One that was zero in every step has no range, and stays as it is.
 * @throws RangeError when there is none at all: then no step was run
 */
function seenRanges(
  ranges: readonly ActivationRange[],
  values: ReadonlyMap<string, Float32Array>,
): Map<string, Range> {
  const seen = new Map<string, Range>();
  for (const { name, min: low, max: high } of ranges) {
    const [min = 0, max = 0] = [values.get(low.name)?.[0], values.get(high.name)?.[0]];
    if (min !== 0 || max !== 0) seen.set(name, { min, max });
  }
  const [first] = ranges;
  if (!first || seen.size > 0) return seen;
  throw new RangeError(
    `train: qat: the range of "${first.name}" is not known: no step has seen it`,
  );
}

function roundedActivation(
  { graph }: Model,
  names: Names,
  value: string,
  settings: QatSettings,
  { min, max }: Range = { min: 0, max: 0 },
): Node[] {
  const { scale, zeroPoint } = activationParameters(min, max, settings.activations);
  const type = settings.activations === "int8" ? DataType.int8 : DataType.uint8;
  const scaleName = store(graph, makeFloat32(names.fresh(`${value}_scale`), [scale], []));
  const point = names.fresh(`${value}_zero_point`);
  const zeroName = store(graph, makeTensor(point, type, [], Uint8Array.of(zeroPoint)));
  const parameters = [scaleName, zeroName];
  const codes = names.fresh(`${value}_quantized`);
  return [
    named("QuantizeLinear", [value, ...parameters], codes),
    named("DequantizeLinear", [codes, ...parameters], names.fresh(`${value}_dequantized`)),
  ];
}

/** The weight as codes that are computed when the model is written. */
async function roundedWeight(
  { graph }: Model,
  names: Names,
  weight: string,
  axis: number | undefined,
): Promise<Node[]> {
  const tensor = graph.initializers.get(weight);
  if (!tensor) throw new RangeError(`train: qat: the model has no weight "${weight}"`);
  const scales = await weightScales(tensor, axis);
  const shape = axis === undefined ? [] : [scales.length];
  const data = new ComputedData(tensor.data.byteLength / 4, async (sink) => {
    const codes = weightCodes(await readFloats(tensor), tensor.dims, axis, scales);
    await sink.write(new Uint8Array(codes.buffer));
  });
  const quantized = names.fresh(`${weight}_quantized`);
  store(graph, makeTensor(quantized, DataType.int8, [...tensor.dims], data));
  const scaleName = store(graph, makeFloat32(names.fresh(`${weight}_scale`), scales, shape));
  const point = names.fresh(`${weight}_zero_point`);
  const zeros = new Uint8Array(scales.length);
  const zeroName = store(graph, makeTensor(point, DataType.int8, shape, zeros));
  const attributes = axis === undefined ? [] : [makeInt("axis", axis)];
  const inputs = [quantized, scaleName, zeroName];
  return [named("DequantizeLinear", inputs, names.fresh(`${weight}_dequantized`), attributes)];
}

/** The index of an element's channel. */
function channelOf(dims: readonly number[], axis: number | undefined): (index: number) => number {
  if (axis === undefined) return () => 0;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channels = dims[axis] ?? 1;
  return (index) => Math.floor(index / inner) % channels;
}

async function weightScales(tensor: Tensor, axis: number | undefined): Promise<number[]> {
  const channel = channelOf(tensor.dims, axis);
  const largest = Array<number>(axis === undefined ? 1 : (tensor.dims[axis] ?? 1)).fill(0);
  (await readFloats(tensor)).forEach((value, i) => {
    largest[channel(i)] = Math.max(largest[channel(i)] ?? 0, Math.abs(value));
  });
  return largest.map(weightScale);
}

function weightCodes(
  values: Float32Array,
  dims: readonly number[],
  axis: number | undefined,
  scales: readonly number[],
): Int8Array {
  const channel = channelOf(dims, axis);
  return Int8Array.from(values, (value, i) => weightCode(value, scales[channel(i)] ?? 1));
}

function store(graph: Model["graph"], tensor: Tensor): string {
  graph.initializers.set(tensor.name, tensor);
  return tensor.name;
}

/** The float form of weights that nothing reads any more. */
function dropUnread({ graph }: Model, keys: Iterable<string>): void {
  const read = new Set(graph.nodes.flatMap(readBy));
  for (const { name } of graph.outputs) read.add(name);
  for (const key of keys) {
    const name = key.slice(0, key.lastIndexOf(" "));
    if (read.has(name) || !graph.initializers.delete(name)) continue;
    graph.inputs = graph.inputs.filter((input) => input.name !== name);
  }
}

const named = (
  opType: string,
  inputs: string[],
  output: string,
  attributes: Attribute[] = [],
): Node => makeNode(opType, inputs, [output], { name: output, attributes });
