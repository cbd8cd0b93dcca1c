/** @file Rules of operators with graphs in their attributes: the outputs come from the bodies. */
import { DataType } from "../onnx/data-type.ts";
import type { Graph } from "../onnx/model.ts";
import { findAttribute } from "./attributes.ts";
import type { InferRule, NodeTypes, RuleTable, ValueType } from "./infer-rule.ts";
import { agreeing, frontAxis } from "./infer-shape.ts";

/** Rounds of widening after which a loop's state is taken to have no known shape. */
const MAX_ROUNDS = 3;

function bodyOf(n: NodeTypes, name: string): Graph | undefined {
  const attribute = findAttribute(n.node, name);
  return attribute?.type === "graph" ? attribute.value : undefined;
}

/** What holds for both values: the element type of either, the dimensions on which they agree. */
function join(a: ValueType | undefined, b: ValueType | undefined): ValueType {
  return {
    elementType: a?.elementType ?? b?.elementType,
    shape: agreeing(a?.shape, b?.shape),
    sequenceOf: a?.sequenceOf && join(a.sequenceOf, b?.sequenceOf ?? a.sequenceOf),
  };
}

function sameShape(a: ValueType, b: ValueType | undefined): boolean {
  if (!a.shape || !b?.shape) return a.shape === b?.shape;
  const other = b.shape;
  return a.shape.length === other.length && a.shape.every((dim, i) => dim === other[i]);
}

/**
 * A body whose first outputs are its state inputs of the next round: the states are widened until
 * the body keeps them as they are.
 * @returns the stable states and the body's outputs after them
 */
function iterate(
  states: ValueType[],
  run: (states: ValueType[]) => ValueType[],
): { states: ValueType[]; rest: ValueType[] } {
  let current: ValueType[] = states.map((state) => ({ ...state, value: undefined }));
  for (let round = 0; ; round++) {
    const outputs = run(current);
    const wider = current.map((state, i) => join(state, outputs[i]));
    const isStable = wider.every((state, i) => sameShape(state, current[i]));
    if (isStable) return { states: wider, rest: outputs.slice(states.length) };
    current = round < MAX_ROUNDS ? wider : wider.map((state) => ({ ...state, shape: undefined }));
  }
}

const branch: InferRule = (n) => {
  const [yes, no] = ["then_branch", "else_branch"].map((name) => {
    const body = bodyOf(n, name);
    return body ? n.inferBody(body, []) : [];
  });
  return n.node.outputs.map((_, i) => join(yes?.[i], no?.[i]));
};

const loop: InferRule = (n) => {
  const body = bodyOf(n, "body");
  if (!body) return [];
  const counter = { elementType: DataType.int64, shape: [] };
  const condition = { elementType: DataType.bool, shape: [] };
  const { states, rest } = iterate(n.inputs().slice(2), (current) =>
    n.inferBody(body, [counter, condition, ...current]).slice(1),
  );
  const stacked = rest.map(({ elementType, shape }) => ({
    elementType,
    shape: shape && [undefined, ...shape],
  }));
  return [...states, ...stacked];
};

const scan: InferRule = (n) => {
  const body = bodyOf(n, "body");
  if (!body) return [];
  const scanned = n.int("num_scan_inputs", 0);
  const inputs = n.inputs();
  const first = inputs.length - scanned;
  const axes = n.ints("scan_input_axes");
  const axisOf = (i: number, rank: number): number => frontAxis(axes?.[i] ?? 0, rank);
  const slices = inputs.slice(first).map(({ elementType, shape }, i) => ({
    elementType,
    shape: shape?.toSpliced(axisOf(i, shape.length), 1),
  }));
  const source = inputs[first]?.shape;
  const length = source?.[axisOf(0, source.length)];
  const { states, rest } = iterate(inputs.slice(0, first), (current) =>
    n.inferBody(body, [...current, ...slices]),
  );
  const outputAxes = n.ints("scan_output_axes");
  const stacked = rest.map(({ elementType, shape }, i) => ({
    elementType,
    shape: shape?.toSpliced(frontAxis(outputAxes?.[i] ?? 0, shape.length + 1), 0, length),
  }));
  return [...states, ...stacked];
};

/** Scan 8: [sequence lengths], states [batch, …], scanned [batch, sequence, …]. */
const batchedScan: InferRule = (n) => {
  const body = bodyOf(n, "body");
  if (!body) return [];
  const inputs = n.inputs().slice(1);
  const first = inputs.length - n.int("num_scan_inputs", 0);
  const [batch, length] = inputs[first]?.shape ?? [];
  const without = (count: number) => (input: ValueType) => ({
    elementType: input.elementType,
    shape: input.shape?.slice(count),
  });
  const slices = inputs.slice(first).map(without(2));
  const { states, rest } = iterate(inputs.slice(0, first).map(without(1)), (current) =>
    n.inferBody(body, [...current, ...slices]),
  );
  const stack = (before: ValueType["shape"] & {}) => (value: ValueType) => ({
    elementType: value.elementType,
    shape: value.shape && [...before, ...value.shape],
  });
  return [...states.map(stack([batch])), ...rest.map(stack([batch, length]))];
};

const sequenceMap: InferRule = (n) => {
  const body = bodyOf(n, "body");
  if (!body) return [];
  const items = n.inputs().map((input) => input.sequenceOf ?? input);
  return n
    .inferBody(body, items)
    .map((item) => ({ sequenceOf: { elementType: item.elementType } }));
};

export const CONTROL: RuleTable = {
  If: branch,
  Loop: loop,
  Scan: (n) => (n.version < 9 ? batchedScan(n) : scan(n)),
  SequenceMap: sequenceMap,
};
