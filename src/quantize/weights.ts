/** @file Moved to src/graph/weights.ts; this path stays until its last importer has followed. */
export * from "../graph/weights.ts";
