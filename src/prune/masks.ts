/** @file From methods to masks: reads what each method must know of the weights. */
import type { Arena } from "../kernels/arena.ts";
import { elementCount } from "../onnx/data-type.ts";
import type { Tensor } from "../onnx/model.ts";
import { amountCount, amountLabel } from "./amount.ts";
import { MagnitudeCounts, type RankedMagnitude } from "./magnitude-counts.ts";
import { magnitudeMask, magnitudeThreshold } from "./magnitude-threshold.ts";
import { magnitudeInWindow } from "./magnitude-window.ts";
import { elementMask, type Mask } from "./mask.ts";
import { groupMask } from "./n-m.ts";
import type { PruneAmount, PruneSettings } from "./options.ts";
import { pruningChunks } from "./pruning-chunks.ts";
import { sampleMarks, SelectionSampler, Xoshiro128 } from "./random.ts";
import { leastSlices, sliceNorms } from "./slice-norms.ts";
import { SharedTies } from "./shared-ties.ts";
import { sliceMask, sliceView } from "./slices.ts";
import { commonAxis, type Target } from "./targets.ts";

export interface Pruning {
  mask: Mask;
  /** As reports name it. */
  method: string;
  /** Elements that the mask takes, where it is known beforehand. */
  pruned?: number;
}

export type MaskPlan = { target: Target } & (Pruning | { reason: string });

const NOT_FINITE = { reason: "holds NaN or Inf" };
const NOTHING = { reason: "the amount prunes nothing of it" };

/**
 * A mask for each target, or the reason to keep it, in order.
 * @throws RangeError when a count is larger than what it counts
 */
export async function planMasks(
  targets: readonly Target[],
  settings: PruneSettings,
  arena: Arena,
): Promise<MaskPlan[]> {
  if (settings.method === "global_unstructured") return await globalMasks(targets, settings, arena);
  const plans: MaskPlan[] = [];
  for (const target of targets) {
    plans.push({ target, ...(await planMask(target, settings, arena)) });
  }
  return plans;
}

async function planMask(
  target: Target,
  settings: PruneSettings,
  arena: Arena,
): Promise<Pruning | { reason: string }> {
  switch (settings.method) {
    case "random_unstructured":
    case "l1_unstructured":
      return await unstructured(target, settings, arena);
    case "ln_structured":
    case "random_structured":
      return await structured(target, settings, arena);
    default:
      return await nOfM(target, settings, arena);
  }
}

async function unstructured(
  { weight: { tensor, name }, amount }: Target,
  { method, seed }: PruneSettings,
  arena: Arena,
): Promise<Pruning | { reason: string }> {
  const elements = elementCount(tensor.dims);
  const pruned = amountCount(amount, elements, name);
  if (pruned === 0) return NOTHING;
  const label = `${method} ${amountLabel(amount, elements)}`;
  if (method === "l1_unstructured") {
    const threshold = await magnitudeThreshold(tensor, pruned, arena);
    return threshold
      ? { mask: magnitudeMask(elements, threshold), method: label, pruned }
      : NOT_FINITE;
  }
  if (!(await holdsFinite(tensor, arena))) return NOT_FINITE;
  const mask = elementMask(elements, () => {
    const sampler = new SelectionSampler(Xoshiro128.of(seed, name), elements, pruned);
    return (pointer, count) => sampler.zero(new Int32Array(arena.bytes.buffer, pointer, count));
  });
  return { mask, method: label, pruned };
}

async function structured(
  target: Target,
  { method, dim, order, seed }: PruneSettings,
  arena: Arena,
): Promise<Pruning | { reason: string }> {
  const {
    weight: { tensor, name },
    amount,
  } = target;
  const axis = commonAxis(target, (axes) => (typeof dim === "number" ? dim : axes[dim]));
  if (typeof axis !== "number") return axis;
  const view = sliceView(tensor.dims, axis);
  const pruned = amountCount(amount, view.slices, name);
  if (pruned === 0) return NOTHING;
  let keep: Int32Array;
  if (method === "random_structured") {
    if (!(await holdsFinite(tensor, arena))) return NOT_FINITE;
    keep = sampleMarks(Xoshiro128.of(seed, name), view.slices, pruned);
  } else {
    const norms = await sliceNorms(tensor, view, order, arena);
    if (!norms) return NOT_FINITE;
    keep = leastSlices(norms, pruned);
  }
  const norm = method === "ln_structured" ? ` n=${order}` : "";
  return {
    mask: sliceMask(view, keep),
    method: `${method}${norm} dim=${dim} ${amountLabel(amount, view.slices)}`,
    pruned: (view.elements / view.slices) * pruned,
  };
}

async function nOfM(
  target: Target,
  { keep, group }: PruneSettings,
  arena: Arena,
): Promise<Pruning | { reason: string }> {
  const { tensor } = target.weight;
  const axis = commonAxis(target, (axes) => axes.input);
  if (typeof axis !== "number") return axis;
  const view = sliceView(tensor.dims, axis);
  if (view.slices < group) {
    return { reason: `${view.slices} along the summed axis, less than one group of ${group}` };
  }
  const mask = groupMask(view, keep, group);
  if (!mask)
    return { reason: `a group of ${group} rows of ${view.inner} passes the scratch memory` };
  if (!(await holdsFinite(tensor, arena))) return NOT_FINITE;
  return { mask, method: `n_m ${keep}:${group}` };
}

/** One threshold over all targets together. */
async function globalMasks(
  targets: readonly Target[],
  { amount, method }: PruneSettings,
  arena: Arena,
): Promise<MaskPlan[]> {
  const share = amount ?? 0;
  const all = targets.map(({ weight }) => weight.tensor);
  const elements = all.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  const rank = amountCount(share, elements, "all weights");
  const found = rank === 0 ? undefined : await magnitudeInWindow(all, rank, arena);
  const cut = found
    ? { tensors: all, elements, threshold: found }
    : await countedThreshold(all, share, arena);
  const ties = cut.threshold && new SharedTies(cut.tensors, cut.threshold);
  const indices = new Map(cut.tensors.map((tensor, index) => [tensor, index]));
  return targets.map((target) => {
    const index = indices.get(target.weight.tensor);
    if (index === undefined) return { target, ...NOT_FINITE };
    if (!ties) return { target, ...NOTHING };
    return {
      target,
      mask: ties.mask(index),
      method: `${method} ${amountLabel(share, cut.elements)}`,
    };
  });
}

interface GlobalCut {
  /** The finite ones, in the file's order. */
  tensors: readonly Tensor[];
  /** Of them together. */
  elements: number;
  /** `undefined` where the amount prunes nothing. */
  threshold: RankedMagnitude | undefined;
}

/** Two reads of all weights. */
async function countedThreshold(
  tensors: readonly Tensor[],
  share: PruneAmount,
  arena: Arena,
): Promise<GlobalCut> {
  const mark = arena.mark();
  try {
    const counts = new MagnitudeCounts(arena);
    for (const tensor of tensors) await counts.add(tensor);
    const { elements } = counts;
    const rank = amountCount(share, elements, "all weights");
    const threshold = rank === 0 ? undefined : await counts.ranked(rank);
    return { tensors: counts.tensors, elements, threshold };
  } finally {
    arena.release(mark);
  }
}

async function holdsFinite(tensor: Tensor, arena: Arena): Promise<boolean> {
  const mark = arena.mark();
  const count = elementCount(tensor.dims);
  const chunks = pruningChunks(tensor, arena);
  let finite = true;
  await chunks.each(0, count, (_first, length) => {
    finite &&= arena.kernels.absMaxBits(chunks.pointer, length) < 0x7f800000;
  });
  arena.release(mark);
  return finite;
}
