/**
 * @file Compiles src/kernels/assembly (AssemblyScript) to src/kernels/kernels.wasm.
 *
 * The result is committed, so that nothing but this script needs the compiler; a test holds the two together.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath, URL } from "node:url";
import asc from "assemblyscript/asc";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const KERNELS_WASM = new URL("../src/kernels/kernels.wasm", import.meta.url);

/**
 * Compiles the kernels in memory.
 * @throws Error with the compiler's messages
 */
export async function compileKernels(): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  let messages = "";
  const { error } = await asc.main(
    [
      "src/kernels/assembly/index.ts",
      "--baseDir",
      ROOT,
      "--outFile",
      "kernels.wasm",
      "-O3",
      "--converge",
      "--noAssert",
      "--enable",
      "simd",
      "--runtime",
      "stub",
    ],
    {
      writeFile(_name: string, contents: Uint8Array | string) {
        if (typeof contents !== "string") binary = contents;
      },
      stderr: {
        write(chunk: Uint8Array | string) {
          messages += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
        },
      },
    },
  );
  if (error || !binary) throw new Error(`kernels: ${messages || String(error)}`);
  return binary;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const binary = await compileKernels();
  await writeFile(KERNELS_WASM, binary);
  console.log(`kernels.wasm: ${binary.byteLength} bytes`);
}
