/** @file BatchNormalization in training: the batch's statistics, and running ones that move with each step. */
import { intAttribute, makeInt } from "../graph/attributes.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Node } from "../onnx/model.ts";
import type { ForwardGraph } from "./forward-graph.ts";

/** A value that a step gives and the next one takes. */
export interface Buffer {
  /** The input. */
  name: string;
  dims: number[];
  /** The output with the next value. */
  next: string;
}

/**
 * Puts every BatchNormalization whose running mean and variance are stored float32 vectors of its own into
 * training mode; the others stay as in inference.
 * @returns the running statistics
 */
export function trainStatistics({ model, emitter }: ForwardGraph): Buffer[] {
  const { nodes, initializers } = model.graph;
  const norms = nodes.filter((node) => node.opType === "BatchNormalization" && node.domain === "");
  const readers = new Map<string, number>();
  for (const name of norms.flatMap(statistics)) readers.set(name, (readers.get(name) ?? 0) + 1);
  return norms.flatMap((node) => {
    const isOwn = statistics(node).every(
      (name) => initializers.get(name)?.dataType === DataType.float32 && readers.get(name) === 1,
    );
    if (!isOwn || intAttribute(node, "training_mode", 0) !== 0) return [];
    node.attributes = node.attributes.filter(({ name }) => name !== "training_mode");
    node.attributes.push(makeInt("training_mode", 1));
    const buffers = statistics(node).map((name) => ({
      name,
      dims: [...(initializers.get(name)?.dims ?? [])],
      next: emitter.names.fresh(`${name}.next`),
    }));
    node.outputs = [node.outputs[0] ?? "", ...buffers.map(({ next }) => next)];
    return buffers;
  });
}

/** The names of a node's running mean and variance. */
const statistics = ({ inputs }: Node): string[] => [inputs[3] ?? "", inputs[4] ?? ""];
