/**
 * @file float16 and bfloat16: half the bytes, weights and activations alike.
 *
 * What onnxruntime's `convert_float_to_float16` does, under its names: float32 inputs, outputs, weights and
 * attributes become float16, what cannot be float16 stays float32 with Casts around it. Weights are bit for
 * bit those of that tool. Beyond it: which operands may be float16 comes from the operators' schemas;
 * Casts stand in the graph that defines the value, so subgraphs that read outer values are right; operators
 * without a schema, sequences and arithmetic on sizes and positions stay float32.
 */
import { opsetVersion } from "../graph/build.ts";
import { emptyReport, type PassReport } from "../graph/report.ts";
import { Names, Scope } from "../graph/scope.ts";
import { nodeLabel } from "../graph/weights.ts";
import type { Arena } from "../kernels/arena.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import { Account } from "./float16/account.ts";
import { storeBfloat16 } from "./float16/bfloat16-storage.ts";
import { ElementTypes } from "./float16/element-types.ts";
import { type Float16Options, float16Settings } from "./float16/options.ts";
import { type Placement, Placements } from "./float16/placement.ts";
import { rewriteGraph } from "./float16/rewrite.ts";

export type { Float16Options } from "./float16/options.ts";

/** Below, Cast takes its type as text and most operators lack the types that they have now. */
const MIN_OPSET = { float16: 7, bfloat16: 13 } as const;

/**
 * Converts the model in place. Weights are computed while they are written, and only then do the report's
 * entries say how close they are and how many values were clamped.
 * With `dtype: "bfloat16"` only the weights change (see `bfloat16-storage.ts`).
 * @throws RangeError for options outside their bounds, and for a model below opset 7 (bfloat16: 13; lift it)
 * @throws UnknownNameError when an option names what the model does not have
 */
export async function convertFloat16(
  model: Model,
  options: Float16Options,
  arena: Arena,
): Promise<PassReport> {
  const dtype = options.dtype ?? "float16";
  const root = Scope.of(model.graph);
  const settings = float16Settings(options, root);
  const opset = opsetVersion(model) ?? Infinity;
  if (opset < MIN_OPSET[dtype]) {
    throw new RangeError(
      `float16: ${dtype} needs opset ${MIN_OPSET[dtype]}, the model imports ${opset}`,
    );
  }
  const report = emptyReport();
  const account = new Account(report, settings.format, arena);
  if (settings.format.dataType === DataType.bfloat16) {
    const opTypes = new Set(options.op_block_list);
    storeBfloat16(model, root, { ...settings.blocked, opTypes }, account, report);
    return report;
  }
  const types = new ElementTypes(root, model);
  const placements = await Placements.plan(root, types, settings);
  listKept(placements, report);
  listInputs(placements, root, report);
  const casts = rewriteGraph(root, types, placements, new Names(model), (placement, tensor) =>
    placement.home === "half" && (placement.value.tensor ?? placement.value.sparse)
      ? account.weight(tensor, placement.value.name, placement.reader)
      : account.silent(tensor),
  );
  report.notes.push(...describeNodes(placements, casts));
  return report;
}

/** Constants that stay float32, each with the reader that wants them so. */
function listKept(placements: Placements, report: PassReport): void {
  for (const { value, home, reader, floatReader, output } of placements.all()) {
    if (!(value.tensor ?? value.sparse) || home === "half") continue;
    const reason = output
      ? "it is an output that keeps its type"
      : floatReader
        ? `${nodeLabel(floatReader)} reads it as float32${because(placements, floatReader)}`
        : reader
          ? "it is an input that keeps its type"
          : "nothing reads it";
    report.kept.push({ name: value.name, reason });
  }
}

function because(placements: Placements, node: Placement["reader"]): string {
  const reason = node && placements.precisions.get(node)?.reason;
  return reason ? `: ${reason}` : "";
}

function listInputs(placements: Placements, root: Scope, report: PassReport): void {
  const changed = [...placements.all()].filter(
    ({ value, home }) => value.scope === root && value.isInput && value.tensor && home === "half",
  );
  if (changed.length === 0) return;
  report.notes.push(
    `${changed.length} weights that are also inputs with a default are float16 inputs now`,
  );
}

/** Which operators stayed float32 and why, most frequent reason first, and the number of Casts. */
function describeNodes(placements: Placements, casts: number): string[] {
  const groups = new Map<string, number>();
  for (const [node, { reason }] of placements.precisions) {
    if (reason === undefined || node.opType === "Constant") continue;
    const group = `${node.opType} stays float32: ${reason}`;
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  const notes = [...groups]
    .sort((a, b) => b[1] - a[1])
    .map(([group, count]) => (count > 1 ? `${count} × ${group}` : group));
  if (casts > 0) notes.push(`${casts} Casts between float32 and float16 went in`);
  return notes;
}
