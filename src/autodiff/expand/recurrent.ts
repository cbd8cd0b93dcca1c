/**
 * @file What LSTM, GRU and RNN have in common when they are unrolled over time: directions, layouts,
 * the products with the input that need not wait for the state, and the stacking of outputs.
 *
 * Shapes by ONNX: X [T, N, I], W [D, G·H, I], R [D, G·H, H], B [D, 2·G·H], states [D, N, H], Y [T, D, N, H].
 * layout 1: X [N, T, I], states [N, D, H], Y [N, T, D, H].
 */
import {
  attributeValue,
  floatAttribute,
  intAttribute,
  makeFloat,
  makeInt,
  makeInts,
  stringAttribute,
} from "../../graph/attributes.ts";
import type { Dimension, Node } from "../../onnx/model.ts";
import { add } from "../arithmetic.ts";
import type { Emitter, MaybeValue } from "../rule.ts";

/** The states between two steps, each [N, H]; `undefined` before the first step: zeros. */
export interface State {
  hidden: MaybeValue;
  cell?: MaybeValue;
}

export interface Direction {
  /** [G·H, I] */
  weights: string;
  /** [G·H, H] */
  recurrence: string;
  /** [2·G·H]: W's part, then R's. */
  bias: MaybeValue;
  /** [3·H], LSTM only. */
  peepholes: MaybeValue;
  initial: State;
  /** One function a gate kind, as ONNX orders them: f, g, h. */
  activations: ((value: string) => string)[];
}

export interface Cell {
  /** Activation functions by their ONNX names where the node names none. */
  activations: readonly string[];
  /** Input indices of the initial cell state and of the peepholes. */
  cellInput?: number;
  peepholeInput?: number;
  /** What the step needs of X for all times at once: [T, N, G·H]. */
  project(sequence: string, direction: Direction): string;
  /** A direction's step, from `input` [N, G·H], the projection's slice for one time. */
  stepper(direction: Direction): (input: string, state: State) => State;
}

/** @returns [Y, Y_h, Y_c], the last for a cell that has a cell state */
export function unrolled(c: Emitter, node: Node, cell: Cell): MaybeValue[] {
  const isBatchFirst = intAttribute(node, "layout", 0) === 1;
  const swap = (value: string): string =>
    c.emit("Transpose", [value], [makeInts("perm", [1, 0, 2])]);
  const [x = ""] = node.inputs;
  const sequence = isBatchFirst ? swap(x) : x;
  const [steps, batch] = c.dims(sequence);
  if (typeof steps !== "number") throw c.refusal("the length of its sequences is not known");
  checkLengths(c, node.inputs[4], steps);

  const way = stringAttribute(node, "direction", "forward");
  const directions = way === "bidirectional" ? ["forward", "reverse"] : [way];
  const outputs = directions.map((name, index) => {
    const direction = readDirection(c, node, cell, index, directions.length, isBatchFirst);
    const inputs = parts(c, cell.project(sequence, direction), steps);
    const step = cell.stepper(direction);
    const order = [...Array(steps).keys()];
    if (name === "reverse") order.reverse();
    const hidden: string[] = [];
    let state: State = direction.initial;
    for (const time of order) {
      const next = step(inputs[time] ?? "", state);
      hidden[time] = next.hidden ?? "";
      state = next;
    }
    return { hidden, state };
  });

  const size = c.dims(outputs[0]?.hidden[0] ?? "")[1];
  const stack = (values: readonly MaybeValue[], dims: Dimension[], axis: number): string =>
    joined(
      c,
      values.map((value) => c.reshape(value ?? "", dims)),
      axis,
    );
  const all = outputs.map(({ hidden }) =>
    c.reshape(stack(hidden, [1, batch, size], 0), [steps, 1, batch, size]),
  );
  const y = joined(c, all, 1);
  const last = (pick: (state: State) => MaybeValue): string => {
    const states = stack(
      outputs.map(({ state }) => pick(state)),
      [1, batch, size],
      0,
    );
    return isBatchFirst ? swap(states) : states;
  };
  const perm = makeInts("perm", [2, 0, 1, 3]);
  return [
    node.outputs[0] ? (isBatchFirst ? c.emit("Transpose", [y], [perm]) : y) : undefined,
    node.outputs[1] ? last(({ hidden }) => hidden) : undefined,
    node.outputs[2] ? last(({ cell: value }) => value) : undefined,
  ];
}

/** Unrolling takes every sequence for whole. */
function checkLengths(c: Emitter, lengths: MaybeValue, steps: number): void {
  if (!lengths) return;
  const known = c.numbers(lengths);
  if (!known?.every((length) => length === steps)) {
    throw c.refusal("it has sequence_lens, which have no gradient rule; mask the loss instead");
  }
}

function readDirection(
  c: Emitter,
  node: Node,
  cell: Cell,
  index: number,
  count: number,
  isBatchFirst: boolean,
): Direction {
  /** Row `index` along `axis`, without that axis. */
  const row = (input: number | undefined, axis = 0): MaybeValue => {
    const name = input === undefined ? undefined : node.inputs[input];
    if (!name) return undefined;
    const dims = c.dims(name).toSpliced(axis, 1);
    if (count === 1) return c.reshape(name, dims);
    const bounds = [index, index + 1, axis].map((value) => c.int64([value]));
    return c.reshape(c.emit("Slice", [name, ...bounds]), dims);
  };
  const stateAxis = isBatchFirst ? 1 : 0;
  return {
    weights: row(1) ?? "",
    recurrence: row(2) ?? "",
    bias: row(3),
    peepholes: row(cell.peepholeInput),
    initial: { hidden: row(5, stateAxis), cell: row(cell.cellInput, stateAxis) },
    activations: activations(c, node, cell, index),
  };
}

const utf8 = new TextDecoder();

function activations(
  c: Emitter,
  node: Node,
  cell: Cell,
  index: number,
): ((value: string) => string)[] {
  const given = attributeValue(node, "activations", "strings")?.map((name) => utf8.decode(name));
  const count = cell.activations.length;
  const names = given?.slice(index * count, (index + 1) * count) ?? cell.activations;
  const clip = floatAttribute(node, "clip", 0);
  return names.map((name, i) => {
    const opType = ["Sigmoid", "Tanh", "Relu"].find(
      (known) => known.toLowerCase() === name.toLowerCase(),
    );
    if (!opType) throw c.refusal(`its activation ${name} has no gradient rule`);
    return (value) => {
      // As ONNX Runtime does it: the gates' sums are clipped, an LSTM's cell state (the third) is not.
      const bounded =
        clip > 0 && i < 2 ? c.emit("Clip", [value, c.float(-clip), c.float(clip)]) : value;
      return c.emit(opType, [bounded]);
    };
  });
}

/** X·Wᵀ for all times at once, plus `bias`. */
export function projected(c: Emitter, sequence: string, weights: string, bias: MaybeValue): string {
  const turned = c.emit("Transpose", [weights], [makeInts("perm", [1, 0])]);
  const product = c.emit("MatMul", [sequence, turned]);
  return bias ? add(c, product, bias) : product;
}

/** state·Rᵀ + addend, which is [N, rows of R] or a vector of that many. */
export function recurrent(
  c: Emitter,
  state: string,
  recurrence: string,
  addend: MaybeValue,
): string {
  return c.emit("Gemm", [state, recurrence, addend], [makeFloat("alpha", 1), makeInt("transB", 1)]);
}

/** Parts of these sizes along an axis. */
export function split(c: Emitter, value: string, sizes: readonly number[], axis: number): string[] {
  if (sizes.length === 1) return [value];
  return c.emitAll("Split", [value, c.int64(sizes)], sizes.length, [makeInt("axis", axis)]);
}

/** W's and R's biases added, for cells in which they only ever occur as that sum. */
export function summedBias(c: Emitter, bias: MaybeValue): MaybeValue {
  if (!bias) return undefined;
  const half = (c.sizes(bias)[0] ?? 0) / 2;
  const [ofInput = "", ofState = ""] = split(c, bias, [half, half], 0);
  return add(c, ofInput, ofState);
}

/** The slices of [T, N, S] for each time, [N, S]. */
function parts(c: Emitter, value: string, steps: number): string[] {
  const [, batch, size] = c.dims(value);
  return split(c, value, Array<number>(steps).fill(1), 0).map((part) =>
    c.reshape(part, [batch, size]),
  );
}

function joined(c: Emitter, values: readonly string[], axis: number): string {
  return values.length === 1
    ? (values[0] ?? "")
    : c.emit("Concat", values, [makeInt("axis", axis)]);
}
