/**
 * @file Which buffers ONNX Runtime has for a graph's values, and when: its plan, made before the first run.
 *
 * A value is computed in place of an operand that nobody reads afterwards, where the kernel can; else it takes over the
 * buffer of a value of the same type and shape that is not read any more, and that buffer is then kept in between; else
 * it gets a buffer of its own, freed after its last reader (`ComputeReusePlan` in allocation_planner.cc).
 */
import { readBy } from "../autodiff/paths.ts";
import type { Graph, Node } from "../onnx/model.ts";

/** Ops whose output is the same memory as their first input. */
const VIEWS: ReadonlySet<string> = new Set([
  "Flatten",
  "Identity",
  "Reshape",
  "Squeeze",
  "Unsqueeze",
]);

/** Ops that can compute in place of an operand of the output's type and shape. */
const IN_PLACE: ReadonlySet<string> = new Set([
  "Abs",
  "Add",
  "Cast",
  "Clip",
  "Div",
  "Erf",
  "Exp",
  "Log",
  "Mul",
  "Neg",
  "Reciprocal",
  "Relu",
  "Sigmoid",
  "Sign",
  "Sqrt",
  "Sub",
  "Tanh",
]);

export interface PlannedBuffer {
  /** The value that it is made for, whose size it has. */
  name: string;
  /** The nodes, by place in the order, during which it is there; outputs of the graph stay to the end. */
  first: number;
  last: number;
}

/**
 * @param order the graph's nodes as they are computed
 * @param kindOf equal for values whose buffers can be exchanged; `undefined`: not known
 */
export function planBuffers(
  graph: Graph,
  order: readonly Node[],
  kindOf: (name: string) => string | undefined,
): PlannedBuffer[] {
  const given = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const uses = countUses(order);
  const buffers = new Map<string, PlannedBuffer>();
  /** Reads of a buffer's values that are still to come. */
  const left = new Map<string, number>();
  /** The name of the value that a value's buffer was made for. */
  const homes = new Map<string, string>();
  const home = (name: string): string => homes.get(name) ?? name;
  /** The one that was read last first. */
  let idle: string[] = [];

  const taken = (node: Node, name: string, output: number): string | undefined => {
    if (outputs.has(name)) return undefined;
    const [operand = ""] = node.inputs;
    if (output === 0 && VIEWS.has(node.opType)) return home(operand);
    const kind = kindOf(name);
    if (kind === undefined) return undefined;
    const isFree = (input: string): boolean =>
      left.get(home(input)) === 1 && !outputs.has(home(input)) && kindOf(home(input)) === kind;
    const place = IN_PLACE.has(node.opType) ? node.inputs.find(isFree) : undefined;
    if (output === 0 && place !== undefined) return home(place);
    const other = idle.find((each) => kindOf(each) === kind);
    if (other !== undefined) idle = idle.filter((each) => each !== other);
    return other;
  };

  for (const [at, node] of order.entries()) {
    for (const [output, name] of node.outputs.entries()) {
      if (name === "") continue;
      const from = taken(node, name, output) ?? name;
      homes.set(name, from);
      if (given.has(from)) continue;
      left.set(from, (left.get(from) ?? 0) + (uses.get(name) ?? 0));
      const buffer = buffers.get(from);
      if (buffer) buffer.last = at;
      else buffers.set(from, { name: from, first: at, last: at });
      if (left.get(from) === 0) idle.unshift(from);
    }
    for (const input of readBy(node)) {
      const from = home(input);
      const buffer = buffers.get(from);
      if (!buffer) continue;
      buffer.last = at;
      const reads = (left.get(from) ?? 0) - 1;
      left.set(from, reads);
      if (reads === 0 && !outputs.has(from)) idle.unshift(from);
    }
  }
  for (const name of outputs) {
    const buffer = buffers.get(home(name));
    if (buffer) buffer.last = Infinity;
  }
  return [...buffers.values()];
}

function countUses(order: readonly Node[]): Map<string, number> {
  const uses = new Map<string, number>();
  for (const node of order) {
    for (const name of readBy(node)) uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return uses;
}
