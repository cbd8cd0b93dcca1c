/** @file The models that onnxruntime's quantize_static was run on, with what it was fed and found. */
import { readFileSync } from "node:fs";
import type { Model } from "../../../../src/onnx/model.ts";
import { readModel } from "../../../../src/onnx/read-model.ts";
import { MemorySource } from "../../../../src/onnx/source.ts";
import type { ActivationRanges, StaticOptions } from "../../../../src/quantize/static.ts";

const folder = "test/goldens/static/";

interface Source {
  source: string;
  /** By input, the samples one after the other, base64. */
  samples: Record<string, string>;
  runs: { target: string; options: StaticOptions; ranges: Record<string, [number, number]> }[];
}

export const SOURCES = JSON.parse(readFileSync(`${folder}cases.json`, "utf8")) as Source[];
export const RUNS = SOURCES.flatMap(({ source, samples, runs }) =>
  runs.map((run) => ({ source, samples, ...run })),
);

export const golden = (name: string) => new Uint8Array(readFileSync(folder + name));
export const parse = (bytes: Uint8Array): Promise<Model> => readModel(new MemorySource(bytes));

export function rangesOf(found: Record<string, [number, number]>): ActivationRanges {
  const ranges = Object.entries(found).map(([name, [low, high]]) => [name, { low, high }] as const);
  return { ranges: new Map(ranges), unusable: new Map() };
}
