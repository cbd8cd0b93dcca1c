/**
 * @file Arithmetic on sizes and positions stays float32, because float16 counts exactly only to 2048.
 *
 * Exporters compute shapes, masks and rotary angles in float: Shape → Cast → Mul → Floor → Cast.
 * In float16 an image of 2049 pixels or a token at position 2049 gives wrong sizes or angles, and
 * 65520 is infinity. A node whose float inputs all come from integers and small constants is kept
 * in float32 where its result decides integers or booleans, goes into a sine or cosine, or is read
 * in float32 anyway. Where such a chain meets float16 data its result is cast.
 */
import { subgraphs } from "../../graph/attributes.ts";
import { tensorNumbers } from "../../graph/constants.ts";
import type { Scope } from "../../graph/scope.ts";
import { elementCount } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import { type NodePrecision, stayFloat } from "./node-precision.ts";
import type { Value, Values } from "./values.ts";

/** Constants up to this size are parameters of such arithmetic (rotary frequencies), not weights. */
const MAX_CONSTANT_ELEMENTS = 1024;

/** A constant beyond this stands for minus infinity in a mask, and has to be clamped in float16. */
const MAX_FLOAT16 = 65504;

const PERIODIC: ReadonlySet<string> = new Set(["Sin", "Cos"]);
/** Operators that look at the shape of their input only. */
const SHAPE_ONLY: ReadonlySet<string> = new Set(["Shape", "Size"]);

interface PlacedNode {
  scope: Scope;
  node: Node;
  precision: NodePrecision;
}

/** Moves the nodes that the rule keeps in float32 to that precision. */
export async function keepIntegerArithmetic(
  root: Scope,
  values: Values,
  precisions: Map<Node, NodePrecision>,
): Promise<void> {
  const order: PlacedNode[] = [];
  for (const scope of root.walk()) {
    for (const node of scope.graph.nodes) {
      const precision = precisions.get(node);
      if (precision) order.push({ scope, node, precision });
    }
  }
  const derived = await derivedFromIntegers(order, values);
  if (derived.size === 0) return;
  const needed = new Set<Value>();
  for (const { scope, node, precision } of order.reverse()) {
    let final = precision;
    if (precision.reason === undefined && decidesIntegers(scope, node, values, derived, needed)) {
      final = stayFloat(node, "it computes with sizes or positions");
      precisions.set(node, final);
    }
    node.inputs.forEach((name, index) => {
      const value = values.find(scope, name);
      if (value && derived.has(value) && final.inputs[index] === "float") needed.add(value);
    });
  }
}

function decidesIntegers(
  scope: Scope,
  node: Node,
  values: Values,
  derived: ReadonlySet<Value>,
  needed: ReadonlySet<Value>,
): boolean {
  const made = floatValues(scope, node.outputs, values);
  if (made.some((value) => needed.has(value))) return made.every((value) => derived.has(value));
  const read = floatValues(scope, node.inputs, values);
  if (!read.some((value) => derived.has(value))) return false;
  if (PERIODIC.has(node.opType)) return true;
  return (
    made.length === 0 &&
    !SHAPE_ONLY.has(node.opType) &&
    read.every((value) => derived.has(value) || value.tensor !== undefined)
  );
}

/** The values that are computed from integers, booleans and small constants alone. */
async function derivedFromIntegers(
  order: readonly PlacedNode[],
  values: Values,
): Promise<Set<Value>> {
  const derived = new Set<Value>();
  const parameters = new Map<Value, boolean>();
  const isParameter = async (value: Value): Promise<boolean> => {
    const known = parameters.get(value) ?? (await isSmallConstant(value));
    parameters.set(value, known);
    return known;
  };
  for (const { scope, node } of order) {
    const read = floatValues(scope, node.inputs, values);
    const starts = node.opType === "Cast" && read.length === 0;
    if (!starts && !read.some((value) => derived.has(value))) continue;
    let pure = true;
    for (const value of read) pure &&= derived.has(value) || (await isParameter(value));
    if (!pure) continue;
    // The outputs of If, Loop and Scan come from their bodies.
    if (subgraphs(node).length > 0) continue;
    for (const value of floatValues(scope, node.outputs, values)) derived.add(value);
  }
  return derived;
}

async function isSmallConstant({ tensor }: Value): Promise<boolean> {
  if (!tensor || elementCount(tensor.dims) > MAX_CONSTANT_ELEMENTS) return false;
  const numbers = await tensorNumbers(tensor);
  return numbers !== undefined && numbers.every((number) => Math.abs(number) <= MAX_FLOAT16);
}

function floatValues(scope: Scope, names: readonly string[], values: Values): Value[] {
  return names.map((name) => values.find(scope, name)).filter((value) => value !== undefined);
}
