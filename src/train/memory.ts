/**
 * @file How much memory a step takes in ONNX Runtime's WebAssembly, worked out from the step's graph, so that a job can
 * be refused before it starts.
 *
 * The session's plan is made here as ONNX Runtime makes it (execution-order.ts, buffer-plan.ts), and its blocks are
 * replayed in a heap (heap-replay.ts). What fusions save is not known here.
 */
import { intAttribute } from "../graph/attributes.ts";
import { cloneModel } from "../graph/clone.ts";
import { inferTypes } from "../graph/infer.ts";
import { Scope } from "../graph/scope.ts";
import { bitsPerElement, isDataType } from "../onnx/data-type.ts";
import type { Dimension, Graph, Model, Node } from "../onnx/model.ts";
import { BATCH } from "./batch-fields.ts";
import { planBuffers } from "./buffer-plan.ts";
import { executionOrder } from "./execution-order.ts";
import { HeapReplay } from "./heap-replay.ts";
import type { StepPlan } from "./step-plan.ts";

/** In bytes. */
export interface MemoryEstimate {
  /** The vector: parameters and buffers, fed with every step; gradients and next values are as many. */
  vector: number;
  /** Weights that are not trained, and constants. */
  frozen: number;
  /** One batch. */
  batch: number;
  /** ONNX Runtime's memory: at least what a step needs, at most one and a half times that. */
  heap: number;
  /** True where a size did not follow from the shapes: the heap may then need more. */
  isPartial: boolean;
}

/** What the build has in its memory when it has started (static data, stack): 16 MiB at first, of which 4 are free. */
const STARTED_BYTES = 12 << 20;
/**
 * Of the replayed heap: the memory grows by a twentieth of what is there at least, and is refused where that passes its cap;
 * the session's own objects; kernels' small scratch. Measured in test/core/train/memory.test.ts.
 */
const MARGIN = 1.08;
/** MLAS convolves piece by piece; a piece of the unrolled input has so many bytes. */
const CONVOLUTION_SCRATCH = 1 << 20;

/** @param batchSize rows of a step's batch */
export async function memoryEstimate(
  { step, layout }: Pick<StepPlan, "step" | "layout">,
  batchSize: number,
): Promise<MemoryEstimate> {
  const model = withBatch(step, batchSize);
  const { graph } = model;
  const sizes = new Sizes(graph, await inferTypes(model));
  const entries = new Set(layout.entries.map(({ name }) => name));
  const frozen = [...graph.initializers.values()].reduce(
    (sum, { data }) => sum + data.byteLength,
    0,
  );
  const batch = graph.inputs
    .filter(({ name }) => !entries.has(name))
    .reduce((sum, { name }) => sum + sizes.bytes(name), 0);
  const replayed = frozen + replay(graph, sizes);
  return {
    vector: 4 * layout.length,
    frozen,
    batch,
    heap: STARTED_BYTES + Math.ceil(MARGIN * replayed),
    isPartial: sizes.isPartial,
  };
}

function withBatch(step: Model, batchSize: number): Model {
  const model = cloneModel(step);
  for (const { type } of model.graph.inputs) {
    if (type?.kind !== "tensor") continue;
    type.shape = type.shape?.map((dim) => (dim === BATCH ? batchSize : dim));
  }
  return model;
}

class Sizes {
  isPartial = false;
  readonly #scope: Scope;
  readonly #inferred: Awaited<ReturnType<typeof inferTypes>>;

  constructor(graph: Graph, inferred: Awaited<ReturnType<typeof inferTypes>>) {
    this.#scope = Scope.of(graph);
    this.#inferred = inferred;
  }

  shape(name: string): Dimension[] | undefined {
    return this.#inferred.shape(this.#scope, name);
  }

  bytes(name: string): number {
    const type = this.#inferred.elementType(this.#scope, name);
    let bytes = type !== undefined && isDataType(type) ? bitsPerElement(type) / 8 : NaN;
    for (const dim of this.shape(name) ?? [NaN]) bytes *= typeof dim === "number" ? dim : NaN;
    if (Number.isFinite(bytes)) return bytes;
    this.isPartial = true;
    return 0;
  }

  /** Bits an element and shape, where both are known and there is an axis. */
  kind(name: string): string | undefined {
    const type = this.#inferred.elementType(this.#scope, name);
    const shape = this.shape(name);
    if (type === undefined || !isDataType(type) || !shape?.length) return undefined;
    if (!shape.every((dim) => typeof dim === "number")) return undefined;
    return `${bitsPerElement(type)}: ${shape.join()}`;
  }
}

/** Bytes at the heap's highest top: what is fed, then the nodes' outputs and scratch. */
function replay(graph: Graph, sizes: Sizes): number {
  const order = executionOrder(graph.nodes);
  const buffers = planBuffers(graph, order, (name) => sizes.kind(name));
  const starts = Map.groupBy(buffers, ({ first }) => first);
  const ends = Map.groupBy(buffers, ({ last }) => last);
  const heap = new HeapReplay();
  for (const { name } of graph.inputs) heap.allocate(name, sizes.bytes(name));
  for (const [at, node] of order.entries()) {
    for (const { name } of starts.get(at) ?? []) heap.allocate(name, sizes.bytes(name));
    const scratch = scratchBytes(node, sizes);
    if (scratch > 0) {
      heap.allocate("", scratch);
      heap.free("");
    }
    for (const { name } of ends.get(at) ?? []) heap.free(name);
  }
  return heap.top;
}

/** What a convolution unrolls: a piece of one input, or for its transpose the columns of one whole output. */
function scratchBytes(node: Node, sizes: Sizes): number {
  const [x = "", weight = ""] = node.inputs;
  if (node.opType === "Conv") return CONVOLUTION_SCRATCH;
  if (node.opType !== "ConvTranspose") return 0;
  const number = (dim: Dimension): number => (typeof dim === "number" ? dim : 0);
  const product = (dims: readonly Dimension[] | undefined, from: number): number =>
    (dims ?? []).slice(from).reduce<number>((all, dim) => all * number(dim), 1);
  const groups = intAttribute(node, "group", 1);
  return groups > 0 ? 4 * product(sizes.shape(weight), 1) * product(sizes.shape(x), 2) : 0;
}
