/** @file The operator table as `checkModel` asks for it. */
import type { OperatorTable } from "../graph/check.ts";
import type { Node } from "../onnx/model.ts";
import { MAX_IR, MAX_OPSET, operatorSchema, operatorStatus } from "../opset/operators.ts";

export const OPERATORS: OperatorTable = {
  maxOpset: MAX_OPSET,
  maxIrVersion: MAX_IR,
  problem(node, version) {
    const { domain, opType } = node;
    const status = operatorStatus(domain, opType, version);
    const opset = `opset ${version} of ${domain || "ai.onnx"}`;
    if (status === "unknown") return `${domain || "ai.onnx"} has no operator "${opType}"`;
    if (status === "future") return `"${opType}" does not exist yet in ${opset}`;
    if (status === "removed") return `"${opType}" is no longer in ${opset}`;
    return status === "known" ? countProblem(node, version) : undefined;
  },
};

/** Inputs and outputs that are left out at the end do not count, as in ONNX Runtime. */
function countProblem({ domain, opType, inputs, outputs }: Node, version: number) {
  const schema = operatorSchema(domain, opType, version);
  if (!schema) return undefined;
  const { minInputs, maxInputs, minOutputs, maxOutputs } = schema;
  return (
    outside("input", inputs.length, minInputs, maxInputs) ??
    outside("output", outputs.length, minOutputs, maxOutputs)
  );
}

function outside(what: string, count: number, least: number, most: number): string | undefined {
  if (count >= least && count <= most) return undefined;
  const range =
    least === most ? `${least}` : most === Infinity ? `${least} or more` : `${least} to ${most}`;
  return `it has ${count} ${what}s, the operator has ${range}`;
}
