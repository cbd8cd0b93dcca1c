/** @file Pruning: zeros where torch.nn.utils.prune would put them, in the ONNX graph, in bounded memory. */
import { emptyReport, type PassReport, sqnrDb, type WeightChange } from "../graph/report.ts";
import type { Arena } from "../kernels/arena.ts";
import { dataTypeName, elementCount } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import { planMasks } from "./masks.ts";
import { type PruneOptions, pruneSettings } from "./options.ts";
import { prunedData } from "./pruned-data.ts";
import { storeSparse } from "./sparse-storage.ts";
import { pruneTargets } from "./targets.ts";

/**
 * Prunes the weights of a model in place of their data; names, dims and types stay.
 *
 * Weights are the float inputs of Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU and RNN (biases are
 * not), in initializers and Constant nodes, also of subgraphs and behind Identity and Transpose; a
 * shared one is pruned once. What is chosen, how much, and by which axis: see `PruneOptions`.
 * The chosen set is torch's for the same weights. Ties go by a rule of their own: among equal
 * magnitudes (or norms) the first in storage order are pruned, in N:M the later ones.
 * Weights with NaN or Inf, float64 and quantized ones stay, and the report says so.
 *
 * Reads weights once or twice now (thresholds, norms, finiteness), and again when they are written.
 * `sqnrDb` of each change is filled in by then.
 * @throws UnknownNameError when an option names nodes or weights that the model does not have
 * @throws RangeError for options out of range, such as a count larger than a tensor
 */
export async function pruneModel(
  model: Model,
  options: PruneOptions,
  arena: Arena,
): Promise<PassReport> {
  const settings = pruneSettings(options);
  const { targets, kept } = pruneTargets(model, options, settings);
  const report = { ...emptyReport(), kept };
  const dense = new Map<string, string[]>();
  for (const plan of await planMasks(targets, settings, arena)) {
    const { weight, node } = plan.target;
    if ("reason" in plan) {
      report.kept.push({ name: weight.name, reason: plan.reason });
      continue;
    }
    // the weight as it is now, for the data that replaces it
    const source = { ...weight.tensor };
    const bytes = source.data.byteLength;
    const change: WeightChange = {
      name: weight.name,
      node,
      method: plan.method,
      dims: [...source.dims],
      from: dataTypeName(source.dataType),
      to: dataTypeName(source.dataType),
      bytesBefore: bytes,
      bytesAfter: bytes,
      sqnrDb: null,
    };
    const onError = (signal: number, error: number): void => {
      change.sqnrDb = sqnrDb(signal, error);
    };
    report.changed.push(change);
    const sparse = settings.sparse
      ? await storeSparse(model, weight, source, plan.mask, arena, onError)
      : undefined;
    if (sparse && "byteLength" in sparse) {
      change.bytesAfter = sparse.byteLength;
      change.method += ", sparse";
      continue;
    }
    if (sparse) dense.set(sparse.reason, [...(dense.get(sparse.reason) ?? []), weight.name]);
    weight.tensor.data = prunedData(source, plan.mask, arena, onError);
    if (elementCount(source.dims) === plan.pruned)
      report.notes.push(`"${weight.name}" is all zeros now`);
  }
  for (const [reason, [first, ...others]] of dense) {
    const what =
      others.length === 0 ? `"${first}" stays` : `"${first}" and ${others.length} more stay`;
    report.notes.push(`${what} dense: ${reason}`);
  }
  return report;
}
