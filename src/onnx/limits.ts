/** @file Named limits of the reader: what a file may make the reader hold, whatever it declares. */

export interface ReadLimits {
  /** Nodes in all graphs and functions together: about 0.6 KB of heap each. */
  maxNodes: number;
  /** Initializers, value infos, inputs and outputs together. */
  maxValues: number;
  /** Bytes that are read into memory: everything but the large weights. */
  maxSkeletonBytes: number;
  /** What all objects take that the file's messages become, by the costs in `heap-budget.ts`. */
  maxHeapBytes: number;
  /** Graphs within graphs (If in Loop in …). ONNX Runtime's own parser stops at 100 messages. */
  maxDepth: number;
  /** A name of a node or value, in bytes. */
  maxNameBytes: number;
  /** Dimensions of one tensor. */
  maxRank: number;
}

/** Fits an isolate of 128 MB. */
export const DEFAULT_LIMITS: ReadLimits = {
  maxNodes: 60_000,
  maxValues: 200_000,
  maxSkeletonBytes: 24 << 20,
  maxHeapBytes: 64 << 20,
  maxDepth: 16,
  maxNameBytes: 16_384,
  maxRank: 64,
};
