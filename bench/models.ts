/** @file The models that benchmarks compress, each made once and kept in the cache folder. */
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { FileSink } from "../src/node/file-source.ts";
import type { Model } from "../src/onnx/model.ts";
import { planModel } from "../src/onnx/write-model.ts";

export const FOLDER = ".cache/bench";

export interface BenchModel {
  path: string;
  /** Of all its files. */
  bytes: number;
}

/** Writes the model unless it is there; weights of more than 2 GiB go into a file beside it. */
export async function benchModel(name: string, make: () => Model): Promise<BenchModel> {
  mkdirSync(FOLDER, { recursive: true });
  const path = `${FOLDER}/${name}.onnx`;
  const location = `${name}.onnx.data`;
  if (!existsSync(path)) {
    console.error(`generating ${path}`);
    const plan = planModel(make(), { external: { location, onlyIfNeeded: true } });
    if (plan.external) await write(`${FOLDER}/${location}`, plan.external);
    await write(path, plan);
  }
  const beside = `${FOLDER}/${location}`;
  const bytes = statSync(path).size + (existsSync(beside) ? statSync(beside).size : 0);
  return { path, bytes };
}

export function removeModel(name: string): void {
  for (const suffix of ["onnx", "onnx.data"])
    rmSync(`${FOLDER}/${name}.${suffix}`, { force: true });
}

/** Under another name until it is whole. */
async function write(path: string, file: { write(sink: FileSink): Promise<void> }): Promise<void> {
  const sink = new FileSink(`${path}.part`);
  await file.write(sink);
  sink.close();
  renameSync(`${path}.part`, path);
}
