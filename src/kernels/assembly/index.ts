/** @file The module's exports: everything that `abi.ts` names, by family. */
export * from "./ranges";
export * from "./affine";
export * from "./errors";
export * from "./blocks";
export * from "./float16";
export * from "./bfloat16";
export * from "./magnitude";
export * from "./vectors";
export { transpose8, transpose32 } from "./transpose";
export { __heap_base };
