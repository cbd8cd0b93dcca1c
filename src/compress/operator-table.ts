/** @file The operator table as `checkModel` asks for it. */
import type { OperatorTable } from "../graph/check.ts";
import { MAX_IR, MAX_OPSET, operatorStatus } from "../opset/operators.ts";

export const OPERATORS: OperatorTable = {
  maxOpset: MAX_OPSET,
  maxIrVersion: MAX_IR,
  problem(domain, opType, version) {
    const status = operatorStatus(domain, opType, version);
    const opset = `opset ${version} of ${domain || "ai.onnx"}`;
    if (status === "unknown") return `${domain || "ai.onnx"} has no operator "${opType}"`;
    if (status === "future") return `"${opType}" does not exist yet in ${opset}`;
    if (status === "removed") return `"${opType}" is no longer in ${opset}`;
    return undefined;
  },
};
