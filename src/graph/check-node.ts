/** @file What single operators demand beyond existing: bodies of control flow, a Constant's one value. */
import type { Graph, Node } from "../onnx/model.ts";
import { findAttribute } from "./attributes.ts";

/** The attribute that has a Constant's value. */
const CONSTANT_VALUES = new Set([
  "value",
  "sparse_value",
  "value_float",
  "value_floats",
  "value_int",
  "value_ints",
  "value_string",
  "value_strings",
]);

/** A sentence that says what is wrong with a node of ai.onnx, or `undefined`. */
export function nodeProblem(node: Node): string | undefined {
  switch (node.opType) {
    case "If":
      return branchProblem(node, "then_branch") ?? branchProblem(node, "else_branch");
    case "Loop":
      return loopProblem(node);
    case "Scan": {
      const graph = body(node, "body");
      return typeof graph === "string" ? graph : undefined;
    }
    case "Constant": {
      const values = node.attributes.filter(({ name }) => CONSTANT_VALUES.has(name));
      return values.length === 1 ? undefined : `it has ${values.length || "no"} values, not one`;
    }
    default:
      return undefined;
  }
}

/** A node's graph, or what is wrong where it should be. */
function body(node: Node, name: string): Graph | string {
  const attribute = findAttribute(node, name);
  if (!attribute) return `it has no ${name}`;
  return attribute.type === "graph" ? attribute.value : `its ${name} is no graph`;
}

function branchProblem(node: Node, name: string): string | undefined {
  const branch = body(node, name);
  if (typeof branch === "string") return branch;
  if (branch.inputs.length > 0) return `its ${name} has inputs, which no branch has`;
  if (branch.outputs.length === node.outputs.length) return undefined;
  return `its ${name} has ${branch.outputs.length} outputs, the node has ${node.outputs.length}`;
}

/** Inputs: trip count, condition, states. The body's: iteration, condition, states; it gives condition, states, scans. */
function loopProblem(node: Node): string | undefined {
  const graph = body(node, "body");
  if (typeof graph === "string") return graph;
  const states = Math.max(0, node.inputs.length - 2);
  if (graph.inputs.length !== states + 2) {
    return `its body has ${graph.inputs.length} inputs, iteration, condition and ${states} states make ${states + 2}`;
  }
  if (graph.outputs.length !== node.outputs.length + 1) {
    return `its body has ${graph.outputs.length} outputs, condition and the node's ${node.outputs.length} make ${node.outputs.length + 1}`;
  }
  return undefined;
}
