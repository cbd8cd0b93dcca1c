/** @file Rounding in the graph of a step or of an evaluation, and the ranges of activations that move with it. */
import { makeInt } from "../../graph/attributes.ts";
import { makeNode, makeTensor } from "../../graph/build.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Attribute, Model, Node } from "../../onnx/model.ts";
import type { Buffer } from "../batch-normalization.ts";
import { type ForwardGraph, tensorInfo } from "../forward-graph.ts";
import type { QatSettings } from "../options.ts";
import type { ActivationOperand, OperandUse, WeightOperand } from "./operands.ts";
import { activationCodes, LEAST_SCALE, WEIGHT_CODES } from "./parameters.ts";

/** Outputs and the buffers that they move, per activation. */
export interface ActivationRange {
  name: string;
  min: Buffer;
  max: Buffer;
}

export interface FakeQuantizeOptions {
  /** `step`: ranges move by the batch before they are used; `evaluate`: they are used as they are. */
  phase: "step" | "evaluate";
  settings: QatSettings;
}

/**
 * Lets the products read rounded values, and declares the ranges' buffers as inputs.
 * @returns one range per activation
 */
export function fakeQuantize(
  forward: ForwardGraph,
  uses: readonly OperandUse[],
  options: FakeQuantizeOptions,
): ActivationRange[] {
  const rounded = new Map<string, string>();
  const ranges: ActivationRange[] = [];
  const byNode = Map.groupBy(uses, ({ node }) => node);
  forward.rewrite((node) => {
    for (const { input, operand } of byNode.get(node) ?? []) {
      const key = operand.kind === "weight" ? `${operand.name} ${operand.axis}` : operand.name;
      let value = rounded.get(key);
      if (value === undefined) {
        if (operand.kind === "weight") value = roundWeight(forward, operand);
        else {
          const range = declareRange(forward, operand);
          ranges.push(range);
          value = roundActivation(forward, operand, range, options);
        }
        rounded.set(key, value);
      }
      node.inputs[input] = value;
    }
    return true;
  });
  return ranges;
}

/** scale = max|w| / 127 per channel, of the weights of this very step. */
function roundWeight({ model, emitter }: ForwardGraph, { name, axis }: WeightOperand): string {
  const dims = emitter.sizes(name);
  const others = [...dims.keys()].filter((i) => i !== axis);
  const largest = emitter.reduce("ReduceMax", emitter.emit("Abs", [name]), others, false);
  const quotient = emitter.emit("Div", [largest, emitter.float(WEIGHT_CODES)]);
  const scale = emitter.emit("Max", [quotient, emitter.float(LEAST_SCALE)]);
  const zeros = emitter.names.fresh(`${name}.zero_point`);
  const shape = axis === undefined ? [] : [dims[axis] ?? 1];
  const bytes = new Uint8Array(shape[0] ?? 1);
  model.graph.initializers.set(zeros, makeTensor(zeros, DataType.int8, shape, bytes));
  emitter.setType(zeros, { elementType: DataType.int8, shape });
  const attributes = [makeInt("saturates", 0)];
  if (axis !== undefined) attributes.push(makeInt("axis", axis));
  return emitRounding({ emitter }, name, scale, zeros, attributes);
}

function declareRange(
  { model, emitter }: ForwardGraph,
  { name }: ActivationOperand,
): ActivationRange {
  const buffer = (end: string): Buffer => {
    const input = emitter.names.fresh(`${name}.${end}`);
    model.graph.inputs.push(tensorInfo(input, DataType.float32, []));
    emitter.setType(input, { elementType: DataType.float32, shape: [] });
    return { name: input, dims: [], next: emitter.names.fresh(`${input}.next`) };
  };
  return { name, min: buffer("min"), max: buffer("max") };
}

function roundActivation(
  forward: ForwardGraph,
  { name }: ActivationOperand,
  range: ActivationRange,
  { phase, settings }: FakeQuantizeOptions,
): string {
  const { emitter } = forward;
  // Both are zero until a step has seen the activation, and while it is zero throughout.
  const magnitudes = [range.min, range.max].map((end) => emitter.emit("Abs", [end.name]));
  const seen = emitter.emit("Greater", [emitter.emit("Add", magnitudes), emitter.float(0)]);
  let [low, high] = [range.min.name, range.max.name];
  if (phase === "step") {
    low = moved(forward, name, "ReduceMin", range.min, seen, settings.averaging);
    high = moved(forward, name, "ReduceMax", range.max, seen, settings.averaging);
  }
  const zero = emitter.float(0);
  const [lowest, highest] = activationCodes(settings.activations);
  low = emitter.emit("Min", [low, zero]);
  high = emitter.emit("Max", [high, zero]);
  const width = emitter.emit("Sub", [high, low]);
  const quotient = emitter.emit("Div", [width, emitter.float(highest - lowest)]);
  const scale = emitter.emit("Max", [quotient, emitter.float(LEAST_SCALE)]);
  const shift = emitter.emit("Round", [emitter.emit("Div", [low, scale])]);
  const point = emitter.emit("Clip", [
    emitter.emit("Sub", [emitter.float(lowest), shift]),
    emitter.float(lowest),
    emitter.float(highest),
  ]);
  const type = settings.activations === "int8" ? DataType.int8 : DataType.uint8;
  const zeroPoint = emitter.emit("Cast", [point], [makeInt("to", type)]);
  const rounded = emitRounding(forward, name, scale, zeroPoint, []);
  return phase === "step" ? rounded : emitter.emit("Where", [seen, rounded, name]);
}

/** range + averaging · (batch − range), or the batch's own where none was seen. */
function moved(
  forward: ForwardGraph,
  value: string,
  reduction: "ReduceMin" | "ReduceMax",
  buffer: Buffer,
  seen: string,
  averaging: number,
): string {
  const { emitter } = forward;
  const axes = [...emitter.dims(value).keys()];
  const batch = emitter.reduce(reduction, value, axes, false);
  const change = emitter.emit("Mul", [
    emitter.emit("Sub", [batch, buffer.name]),
    emitter.float(averaging),
  ]);
  const average = emitter.emit("Add", [buffer.name, change]);
  emitter.emit("Where", [seen, average, batch]);
  forward.nameLast(buffer.next);
  return buffer.next;
}

function emitRounding(
  { emitter }: Pick<ForwardGraph, "emitter">,
  value: string,
  scale: string,
  zeroPoint: string,
  attributes: Attribute[],
): string {
  const rounded = emitter.emit("FakeQuantize", [value, scale, zeroPoint], attributes);
  const node = emitter.nodes.at(-1);
  if (node) node.domain = "hone";
  emitter.setType(rounded, emitter.type(value));
  return rounded;
}

/** Replaces `hone::FakeQuantize` by the two ops of ONNX that it stands for. */
export function lowerFakeQuantize({ graph }: Model): void {
  graph.nodes = graph.nodes.flatMap((node) => {
    if (node.domain !== "hone" || node.opType !== "FakeQuantize") return [node];
    const [value = "", scale = "", zeroPoint = ""] = node.inputs;
    const [output = ""] = node.outputs;
    const codes = `${output}.codes`;
    const attributes = node.attributes.filter(({ name }) => name === "axis");
    return [
      named("QuantizeLinear", [value, scale, zeroPoint], codes, attributes),
      named("DequantizeLinear", [codes, scale, zeroPoint], output, attributes),
    ];
  });
}

const named = (opType: string, inputs: string[], output: string, attributes: Attribute[]): Node =>
  makeNode(opType, inputs, [output], { name: output, attributes: [...attributes] });
