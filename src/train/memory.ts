/**
 * @file How much memory a step takes, from shapes alone, so that a job can be refused before it starts.
 *
 * ONNX Runtime frees a value after its last reader, in the order of the nodes; the estimate does the same.
 * It leaves out the kernels' scratch and the arena's rounding, and takes no account of values that
 * are computed in place of others: see `HEAP_FACTOR`.
 */
import { cloneModel } from "../graph/clone.ts";
import { inferTypes } from "../graph/infer.ts";
import { Scope } from "../graph/scope.ts";
import { bitsPerElement, isDataType } from "../onnx/data-type.ts";
import type { Dimension, Graph, Model, Node } from "../onnx/model.ts";
import { BATCH } from "./batch-fields.ts";
import type { StepPlan } from "./step-plan.ts";

/** In bytes. */
export interface MemoryEstimate {
  /** The vector: parameters and buffers, fed with every step. */
  parameters: number;
  /** Their gradients and next values, all there at the step's end. */
  gradients: number;
  /** Weights that are not trained, and constants. */
  frozen: number;
  /** One batch. */
  batch: number;
  /** The most that all other values take at one time, beside the gradients that are done by then. */
  activations: number;
  /** The sum. */
  total: number;
  /** True where a size did not follow from the shapes: the estimate is then too low. */
  isPartial: boolean;
}

/**
 * The wasm heap of ONNX Runtime grows by at most so many times `total` beyond its first 16 MiB (measured
 * for products, convolutions and normalizations, see test/core/train/memory.test.ts).
 */
export const HEAP_FACTOR = 2;

/** Ops whose output is the same memory as their first input. */
const VIEWS: ReadonlySet<string> = new Set([
  "Flatten",
  "Identity",
  "Reshape",
  "Squeeze",
  "Unsqueeze",
]);

/** @param batchSize rows of a step's batch */
export async function memoryEstimate(
  { step, layout }: Pick<StepPlan, "step" | "layout">,
  batchSize: number,
): Promise<MemoryEstimate> {
  const model = withBatch(step, batchSize);
  const { graph } = model;
  const scope = Scope.of(graph);
  const inferred = await inferTypes(model);
  let isPartial = false;
  const sizeOf = (name: string): number => {
    const bytes = byteSize(inferred.elementType(scope, name), inferred.shape(scope, name));
    isPartial ||= bytes === undefined;
    return bytes ?? 0;
  };
  const entries = new Set(layout.entries.map(({ name }) => name));
  const parameters = 4 * layout.length;
  const frozen = [...graph.initializers.values()].reduce(
    (sum, { data }) => sum + data.byteLength,
    0,
  );
  const batch = graph.inputs
    .filter(({ name }) => !entries.has(name))
    .reduce((sum, { name }) => sum + sizeOf(name), 0);
  const gradients = 4 * layout.length;
  const activations = Math.max(0, peakBytes(graph, sizeOf) - gradients);
  const total = parameters + gradients + frozen + batch + activations;
  return { parameters, gradients, frozen, batch, activations, total, isPartial };
}

function withBatch(step: Model, batchSize: number): Model {
  const model = cloneModel(step);
  for (const { type } of model.graph.inputs) {
    if (type?.kind !== "tensor") continue;
    type.shape = type.shape?.map((dim) => (dim === BATCH ? batchSize : dim));
  }
  return model;
}

function byteSize(type: number | undefined, shape: Dimension[] | undefined): number | undefined {
  if (type === undefined || !isDataType(type) || !shape) return undefined;
  let bytes = bitsPerElement(type) / 8;
  for (const dim of shape) {
    if (typeof dim !== "number") return undefined;
    bytes *= dim;
  }
  return bytes;
}

/** The most bytes that the nodes' outputs take at one time; the graph's outputs stay to the end. */
function peakBytes(graph: Graph, sizeOf: (name: string) => number): number {
  const root = viewRoots(graph.nodes);
  const find = (name: string): string => root.get(name) ?? name;
  const lastReader = new Map<string, Node | undefined>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) lastReader.set(find(name), node);
  }
  for (const { name } of graph.outputs) lastReader.set(find(name), undefined);
  const made = new Set<string>();
  let live = 0;
  let peak = 0;
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      if (name === "" || find(name) !== name) continue;
      made.add(name);
      live += sizeOf(name);
    }
    peak = Math.max(peak, live);
    for (const name of new Set([...node.inputs, ...node.outputs].map(find))) {
      const isUnread = !lastReader.has(name);
      if (made.has(name) && (isUnread || lastReader.get(name) === node)) {
        made.delete(name);
        live -= sizeOf(name);
      }
    }
  }
  return peak;
}

/** The value whose memory a view's output is. */
function viewRoots(nodes: readonly Node[]): Map<string, string> {
  const roots = new Map<string, string>();
  for (const { opType, domain, inputs, outputs } of nodes) {
    const [input = ""] = inputs;
    const [output = ""] = outputs;
    if (domain === "" && VIEWS.has(opType)) roots.set(output, roots.get(input) ?? input);
  }
  return roots;
}
