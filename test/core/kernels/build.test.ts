import { readFile } from "node:fs/promises";
import { URL } from "node:url";
import { expect, test } from "vitest";
import { compileKernels, KERNELS_WASM } from "../../../scripts/build-kernels.ts";

test("kernels.wasm is what its sources compile to", async () => {
  const committed = await readFile(KERNELS_WASM);
  expect(Buffer.compare(committed, await compileKernels())).toBe(0);
});

test("the kernels ask for nothing and export what abi.ts names", async () => {
  const module = await WebAssembly.compile(await readFile(KERNELS_WASM));
  expect(WebAssembly.Module.imports(module)).toEqual([]);
  const abi = await readFile(new URL("../../../src/kernels/abi.ts", import.meta.url), "utf8");
  const named = [...abi.matchAll(/readonly (\w+): (?:\(|WebAssembly)/g)].map(
    (match) => match[1] ?? "",
  );
  const exported = WebAssembly.Module.exports(module).map((item) => item.name);
  expect(new Set(exported)).toEqual(new Set(named));
});
