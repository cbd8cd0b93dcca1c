/** @file A compression's report as the API spells it: snake_case, and its headline for a header. */
import type { CompressionReport } from "../compress/types.ts";
import type { Simplification } from "../graph/report.ts";

/** The full report, for `GET /v1/reports/{id}` and the 422 problems. */
export function reportBody(report: CompressionReport) {
  const { verification } = report;
  return {
    object: "report" as const,
    operation: report.operation,
    method: report.method,
    options: report.options,
    bytes_before: report.bytesBefore,
    bytes_after: report.bytesAfter,
    ratio: report.ratio,
    verification: {
      loaded: verification.loaded,
      ran: verification.ran,
      reason: verification.reason,
      runtime: verification.runtime,
      inputs: verification.inputs,
      min_cosine: verification.minCosine,
      min_sqnr_db: finite(verification.minSqnrDb),
      outputs: verification.outputs.map((output) => ({
        name: output.name,
        data_type: output.dataType,
        dims: output.dims,
        cosine: output.cosine,
        sqnr_db: finite(output.sqnrDb),
        max_abs_error: output.maxAbsError,
        argmax_agreement: output.argmaxAgreement,
        equal: output.equal,
      })),
    },
    tried: report.tried.map((attempt) => ({
      method: attempt.method,
      bytes: attempt.bytes,
      min_sqnr_db: finite(attempt.minSqnrDb),
      min_cosine: attempt.minCosine,
      outcome: attempt.outcome,
      reason: attempt.reason,
    })),
    changed: report.changed.map((change) => ({
      name: change.name,
      node: change.node,
      method: change.method,
      dims: change.dims,
      from: change.from,
      to: change.to,
      bytes_before: change.bytesBefore,
      bytes_after: change.bytesAfter,
      sqnr_db: finite(change.sqnrDb),
    })),
    kept: report.kept.map(({ name, reason }) => ({ name, reason })),
    activations: report.activations.map((activation) => ({
      name: activation.name,
      type: activation.type,
      low: activation.low,
      high: activation.high,
      scale: activation.scale,
      zero_point: activation.zeroPoint,
      shared_with: activation.sharedWith,
    })),
    notes: report.notes,
    simplification: report.simplification ? simplificationBody(report.simplification) : null,
  };
}

function simplificationBody(simplification: Simplification) {
  return {
    nodes_before: simplification.nodesBefore,
    nodes_after: simplification.nodesAfter,
    op_types: simplification.opTypes.map(({ opType, before, after }) => ({
      op_type: opType,
      before,
      after,
    })),
    passes: simplification.passes,
    rounds: simplification.rounds,
  };
}

export type ReportBody = ReturnType<typeof reportBody>;

/** What one wants to know at once: under 1 KB of ASCII as JSON. */
export function headline(report: ReportBody) {
  return {
    operation: report.operation,
    method: report.method.slice(0, 100),
    bytes_before: report.bytes_before,
    bytes_after: report.bytes_after,
    ratio: Number(report.ratio.toFixed(3)),
    verified: report.verification.ran,
    min_cosine: report.verification.min_cosine,
    min_sqnr_db: report.verification.min_sqnr_db,
    changed: report.changed.length,
    kept: report.kept.length,
    ...nodeCounts(report),
  };
}

function nodeCounts({ simplification }: ReportBody) {
  if (!simplification) return {};
  const { nodes_before, nodes_after } = simplification;
  return { nodes_before, nodes_after };
}

export type Headline = ReturnType<typeof headline>;

/** JSON has no infinity: an exact result has no SQNR. */
function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
