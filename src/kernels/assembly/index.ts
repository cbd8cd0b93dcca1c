/** @file The module's exports: everything that `abi.ts` names, by family. */
export * from "./ranges";
export * from "./affine";
export * from "./errors";
export { packBlocks2, packBlocks4, packBlocks8 } from "./blocks";
export * from "./row-blocks";
export * from "./column-blocks";
export * from "./pack-codes";
export * from "./bnb4";
export * from "./hqq";
export * from "./float16";
export * from "./bfloat16";
export * from "./magnitude";
export * from "./n-of-m";
export * from "./vectors";
export * from "./optimizers";
export { transpose8, transpose32 } from "./transpose";
export { __heap_base };
