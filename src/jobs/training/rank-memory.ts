/** @file Whether a rank's isolate can hold a training, from the step's shapes: asked before a job is accepted. */
import { ApiError } from "../../problem/api-error.ts";
import type { BatchPlan } from "../../train/batches.ts";
import type { MemoryEstimate } from "../../train/memory.ts";
import type { TrainingSettings } from "../../train/options.ts";
import { makeOptimizer } from "../../train/optimizer.ts";
import type { ExecutorChoice, ModeOptions } from "./training-order.ts";

const MIB = 1 << 20;

/** The cap of ONNX Runtime's heap in `src/runtime/edge.ts`, and what it begins with. */
const HEAP_BYTES = 56 * MIB;
const FIRST_HEAP_BYTES = 16 * MIB;
/** A heap that is full grows by a fifth where its cap lets it. */
const HEAP_GROWTH = 1.2;
/** Of an isolate's 128 MB, with a margin for what is not collected yet; and what the Worker itself takes. */
const ISOLATE_BYTES = 110_000_000;
const WORKER_BYTES = 16 * MIB;

export interface RankMemory {
  /** What ONNX Runtime's heap has to hold. */
  heap: number;
  /** Weights, gradients, optimizer state and what a step gives back. */
  replica: number;
  /** Rows that are held to be shuffled. */
  rows: number;
  total: number;
}

export interface MemoryQuestion {
  estimate: MemoryEstimate;
  settings: TrainingSettings;
  mode: ModeOptions;
  /** Its runner gets changes of what it has, so that the rank keeps what that is. */
  isCoded: boolean;
  batches: BatchPlan;
  rowBytes: number;
}

/** In bytes. */
export function rankMemory(question: MemoryQuestion): RankMemory {
  const { estimate, settings, mode, isCoded, batches, rowBytes } = question;
  const { vector, heap } = estimate;
  const slots = makeOptimizer(settings.optimizer).slots.length;
  const alone = mode.mode === "local_sgd";
  // What the exchange's codec has lost, and what a runner has that gets changes: or else, at first, the weights as they were read.
  const kept = Math.max(1, Number(isCoded) + Number(mode.allreduce.compression !== "none"));
  // The vector, the gradient, and what the session gives back.
  const copies = 3 + kept + (alone ? 1 + slots + 1 / mode.world_size : slots / mode.world_size);
  const replica = Math.round(vector * copies);
  const shard = Math.ceil(batches.rows / mode.world_size);
  const rows = rowBytes * Math.min(shard, 2 * batches.blockRows * batches.windowBlocks);
  const grown = Math.max(FIRST_HEAP_BYTES, heap, Math.min(HEAP_GROWTH * heap, HEAP_BYTES));
  return { heap, replica, rows, total: Math.round(WORKER_BYTES + grown + replica + rows) };
}

/** Whether a rank can compute its gradients itself. */
export function fitsEdge(question: MemoryQuestion): boolean {
  const { heap, total } = rankMemory(question);
  return heap <= HEAP_BYTES && total <= ISOLATE_BYTES;
}

/**
 * @param executor `runner`: gradients are computed elsewhere; `auto`: they may be
 * @throws ApiError `rank_too_small` with the bytes that a rank would need
 */
export function checkMemory(question: MemoryQuestion, executor: ExecutorChoice): void {
  const { heap, replica, rows, total } = rankMemory(question);
  if (fitsEdge(question)) return;
  const elsewhere = WORKER_BYTES + replica + rows;
  if (executor !== "edge" && elsewhere <= ISOLATE_BYTES) return;
  const mb = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  if (executor !== "edge") {
    throw new ApiError(
      "rank_too_small",
      `a rank would need about ${mb(elsewhere)} even with runners: ${mb(replica)} for weights, gradients and optimizer ` +
        `state, ${mb(rows)} for rows; it has ${mb(ISOLATE_BYTES)}`,
    );
  }
  throw new ApiError(
    "rank_too_small",
    `a rank would need about ${mb(total)}: ${mb(heap)} for ONNX Runtime, ${mb(replica)} for weights, gradients and ` +
      `optimizer state, ${mb(rows)} for rows; it has ${mb(ISOLATE_BYTES)}, of which ONNX Runtime ${mb(HEAP_BYTES)}`,
  );
}
