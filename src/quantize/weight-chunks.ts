/** @file Moved to src/kernels/weight-chunks.ts; this path stays until its last importer has followed. */
export * from "../kernels/weight-chunks.ts";
