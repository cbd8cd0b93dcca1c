/**
 * @file Raising a model's opset: operators whose meaning or signature changed are rewritten to the new form.
 *
 * Only operators that `adapters/` knows, or whose changes only added element types, are lifted; a model with
 * any other is refused whole, so the caller can stay at the old opset.
 */
import { importOpset, opsetVersion } from "../graph/build.ts";
import { Names, Scope } from "../graph/scope.ts";
import { OnnxError } from "../onnx/errors.ts";
import type { Model, Node } from "../onnx/model.ts";
import { ADAPTERS, TYPE_ONLY } from "./adapters/table.ts";
import { minIrVersion, operatorHistories } from "./operators.ts";

/**
 * Lifts the model's ai.onnx opset to `target`, in place.
 * @returns what was rewritten, for the report
 * @throws OnnxError `unsupported`, before anything is changed, naming an operator that cannot be lifted
 */
export async function liftOpset(model: Model, target: number): Promise<string[]> {
  const from = opsetVersion(model);
  if (from === undefined || from >= target) return [];
  if (model.functions.length > 0) {
    throw new OnnxError("unsupported", "models with functions are not lifted to a newer opset");
  }
  const nodes = [...Scope.of(model.graph).walk()].flatMap(({ graph }) =>
    graph.nodes.map((node) => ({ node, graph })),
  );
  for (const { node } of nodes)
    for (const version of steps(node, from, target)) requireLiftable(node, version);
  const names = new Names(model);
  const rewritten = new Set<string>();
  for (const { node, graph } of nodes) {
    const { opType } = node;
    let reached = from;
    // One step at a time: a step may change the op type, and with it the steps that follow.
    for (
      let version = next(node, reached, target);
      version !== undefined;
      version = next(node, reached, target)
    ) {
      if (ADAPTERS[`${node.opType}-${version}`]?.(node, graph, names)) rewritten.add(opType);
      reached = version;
    }
  }
  raiseVersions(model, target);
  return rewritten.size > 0 ? [`rewritten for the newer opset: ${[...rewritten].join(", ")}`] : [];
}

/** The versions after `from` and up to `target` in which the node's operator changed. */
function steps(node: Node, from: number, target: number): number[] {
  if (node.domain !== "") return [];
  return versionsOf(node.opType, from, target);
}

function next(node: Node, reached: number, target: number): number | undefined {
  return steps(node, reached, target)[0];
}

function versionsOf(opType: string, from: number, target: number): number[] {
  const history = operatorHistories("").get(opType) ?? [];
  return history.map(({ since }) => since).filter((since) => since > from && since <= target);
}

function requireLiftable(node: Node, version: number): void {
  const step = `${node.opType}-${version}`;
  if (TYPE_ONLY.has(step)) return;
  const adapter = ADAPTERS[step];
  const problem = adapter ? adapter.problem?.(node) : "no rule lifts this operator";
  if (problem) {
    throw new OnnxError(
      "unsupported",
      `${node.opType} "${node.name}" cannot be lifted to opset ${version}: ${problem}`,
    );
  }
}

/** Initializers need not be inputs from IR version 4 on, and each opset came with an IR version. */
function raiseVersions(model: Model, target: number): void {
  importOpset(model, "", target);
  model.irVersion = Math.max(model.irVersion, minIrVersion(target), 4);
}
