/** @file Bundles `collective-ranks.ts` and describes it as an auxiliary worker. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const PROJECT = join(import.meta.dirname, "../../..");
const FOLDER = join(PROJECT, ".cache/collective-ranks");

/** Options of miniflare for the worker "collective-ranks". */
export async function collectiveRanks() {
  await mkdir(FOLDER, { recursive: true });
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "collective-ranks.ts")],
    bundle: true,
    format: "esm",
    write: false,
    external: ["cloudflare:workers", "*.wasm"],
  });
  // esbuild leaves the path as the source has it
  const script = (outputFiles[0]?.text ?? "").replace(/"[^"]*kernels\.wasm"/, '"./kernels.wasm"');
  await writeFile(join(FOLDER, "ranks.js"), script);
  await copyFile(join(PROJECT, "src/kernels/kernels.wasm"), join(FOLDER, "kernels.wasm"));
  return {
    name: "collective-ranks",
    compatibilityDate: "2026-10-01",
    compatibilityFlags: ["nodejs_compat"],
    modulesRoot: FOLDER,
    modules: [
      { type: "ESModule" as const, path: join(FOLDER, "ranks.js") },
      { type: "CompiledWasm" as const, path: join(FOLDER, "kernels.wasm") },
    ],
    durableObjects: { RANKS: { className: "CollectiveRank", useSQLite: true } },
  };
}
