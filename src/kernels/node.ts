/**
 * @file The compiled kernels where there is a file system: Node's tests, benchmarks and CLI.
 *
 * A Worker imports `kernels.wasm` as a module instead; nothing else in the core knows of Node.
 */
import { URL } from "node:url";
import { readFile } from "node:fs/promises";

let compiled: Promise<WebAssembly.Module> | undefined;

/** The compiled `kernels.wasm`, read from beside this file and compiled once per process. */
export function kernelModule(): Promise<WebAssembly.Module> {
  compiled ??= readFile(new URL("./kernels.wasm", import.meta.url)).then((bytes) =>
    WebAssembly.compile(bytes),
  );
  return compiled;
}
