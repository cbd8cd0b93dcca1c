/**
 * @file Groups of nodes that are differentiated as one, because their parts' gradients would cost more: Gelu as
 * exporters write it below opset 20, x · (1 + erf(x/√2)) · ½ in any order of the products.
 */
import { Scope } from "../graph/scope.ts";
import type { Graph, Node } from "../onnx/model.ts";
import { add, exp, mul, square, sub } from "./arithmetic.ts";
import type { Emitter, GradientContext } from "./rule.ts";

export interface Composite {
  /** The nodes whose own rules are not asked, the last one included. */
  nodes: ReadonlySet<Node>;
  input: string;
  /** The gradient of the input, given that of the last node's output. */
  gradient: (c: Emitter, g: string) => string;
}

/** ln √(2/π) */
const LOG_SCALE = Math.log(2 / Math.PI) / 2;

/**
 * g·y′ of y = x·Φ(x): ½·g·(e + x·√(2/π)·exp(−u²)).
 * @param u x/√2
 * @param e 1 + erf(u)
 */
export function geluGradient(c: Emitter, g: string, x: string, u: string, e: string): string {
  const density = exp(c, sub(c, LOG_SCALE, square(c, u)));
  return mul(c, mul(c, add(c, mul(c, density, x), e), g), 0.5);
}

/** The composites of a graph by their last node. */
export function findComposites(c: GradientContext, graph: Graph): Map<Node, Composite> {
  const composites = new Map<Node, Composite>();
  const scope = Scope.of(graph);
  for (const node of graph.nodes) {
    if (node.opType !== "Erf" || node.domain !== "") continue;
    const found = geluAround(c, scope, node);
    if (found) composites.set(found.last, found.composite);
  }
  return composites;
}

function geluAround(
  c: GradientContext,
  scope: Scope,
  erf: Node,
): { last: Node; composite: Composite } | undefined {
  const [u = ""] = erf.inputs;
  const scaling = scope.producer(u);
  const x = scaling && scaledBySqrtHalf(c, scaling);
  const plusOne = onlyReader(scope, erf, "Add");
  if (!scaling || x === undefined || !plusOne || other(c, plusOne, 1) !== erf.outputs[0])
    return undefined;
  if (scope.uses(u).length > 1 || scope.isOutput(u)) return undefined;
  const product = onlyReader(scope, plusOne, "Mul");
  if (!product) return undefined;
  const [e = ""] = plusOne.outputs;
  const factor = product.inputs.find((name) => name !== e);
  const nodes = [scaling, erf, plusOne, product];
  let last = product;
  if (factor === x) {
    // (x · e) · ½
    const half = onlyReader(scope, product, "Mul");
    if (!half || other(c, half, 0.5) !== product.outputs[0]) return undefined;
    last = half;
    nodes.push(half);
  } else {
    // (x · ½) · e
    const half = factor === undefined ? undefined : scope.producer(factor);
    if (!half || half.opType !== "Mul" || other(c, half, 0.5) !== x) return undefined;
    if (scope.uses(factor ?? "").length > 1 || scope.isOutput(factor ?? "")) return undefined;
    nodes.push(half);
  }
  const gradient = (emitter: Emitter, g: string): string => geluGradient(emitter, g, x, u, e);
  return { last, composite: { nodes: new Set(nodes), input: x, gradient } };
}

/** What is multiplied by √½, or divided by √2. */
function scaledBySqrtHalf(c: Emitter, node: Node): string | undefined {
  if (node.opType === "Mul") return other(c, node, Math.SQRT1_2);
  const [x, divisor] = node.inputs;
  return node.opType === "Div" && isNear(c, divisor, Math.SQRT2) ? x : undefined;
}

/** The operand beside a constant of this value. */
function other(c: Emitter, { inputs: [a, b] }: Node, value: number): string | undefined {
  if (isNear(c, b, value)) return a;
  return isNear(c, a, value) ? b : undefined;
}

const TOLERANCE = 1e-4;

function isNear(c: Emitter, name: string | undefined, value: number): boolean {
  const numbers = c.numbers(name);
  return numbers?.length === 1 && Math.abs((numbers[0] ?? 0) - value) < TOLERANCE;
}

/** The one node that reads a node's output, which nothing else sees. */
function onlyReader(
  scope: Scope,
  { outputs: [output = ""] }: Node,
  opType: string,
): Node | undefined {
  const uses = scope.uses(output);
  const [use] = uses;
  if (uses.length !== 1 || scope.isOutput(output) || use?.scope !== scope) return undefined;
  return use.node.opType === opType ? use.node : undefined;
}
