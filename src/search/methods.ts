/** @file The methods that a search may try on a model, planned: what each would save, and at which nodes. */
import { CANDIDATES } from "../compress/auto.ts";
import { makeCandidate } from "../compress/candidate.ts";
import { describeSteps, type Options, type PassTools, type Step } from "../compress/methods.ts";
import { CompressRefusal } from "../compress/types.ts";
import type { WeightChange } from "../graph/report.ts";
import { Scope } from "../graph/scope.ts";
import { findWeights } from "../graph/weights.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import type { SearchMethod, SearchNode } from "./trial.ts";

export interface PlannedMethod extends SearchMethod {
  /** As /v1/models/{id}/quantize takes them. */
  options: Options;
}

export interface RefusedMethod {
  what: string;
  reason: string;
}

/** Of more nodes than these, those that save most can be left out. */
const MAX_NODES = 4096;
const FLOATS = [DataType.float32, DataType.float16, DataType.float64, DataType.bfloat16];

/**
 * The candidates of `auto`, without writing a weight.
 * @param bytes of the model and its files
 */
export async function planMethods(
  model: Model,
  bytes: number,
  tools: PassTools,
): Promise<{ methods: PlannedMethod[]; refused: RefusedMethod[] }> {
  const readers = readersOf(model);
  const methods: PlannedMethod[] = [];
  const refused: RefusedMethod[] = [];
  for (const steps of CANDIDATES) {
    const what = describeSteps(steps);
    try {
      const { byteLength, report } = await makeCandidate(model, steps, tools);
      if (report.changed.length === 0) refused.push({ what, reason: "no weight changes" });
      else if (byteLength >= bytes) refused.push({ what, reason: "not smaller than the original" });
      else {
        const nodes = changedNodes(report.changed, readers);
        methods.push({ what, bytes: byteLength, nodes, options: optionsOf(steps) });
      }
    } catch (error) {
      if (!(error instanceof CompressRefusal)) throw error;
      refused.push({ what, reason: error.message });
    }
  }
  return { methods, refused };
}

/** The method on all nodes but those that are excluded. */
export function candidateOptions(options: Options, excluded: readonly string[]): Options {
  if (excluded.length === 0) return options;
  const isHalf = options["method"] === "float16" || options["method"] === "bfloat16";
  return { ...options, [isHalf ? "node_block_list" : "nodes_to_exclude"]: [...excluded] };
}

function optionsOf([step]: readonly Step[]): Options {
  return { method: step?.method, ...step?.options };
}

/** The named nodes that read each weight, in the graph's order. */
function readersOf(model: Model): ReadonlyMap<string, readonly string[]> {
  const readers = new Map<string, string[]>();
  for (const weight of findWeights(Scope.of(model.graph), { dataTypes: FLOATS, minRank: 0 })) {
    const names = weight.uses.map(({ node }) => node.name).filter((name) => name !== "");
    readers.set(weight.name, [...(readers.get(weight.name) ?? []), ...names]);
  }
  return readers;
}

function changedNodes(
  changed: readonly WeightChange[],
  readers: ReadonlyMap<string, readonly string[]>,
): SearchNode[] {
  const saved = new Map<string, number>();
  for (const { name, bytesBefore, bytesAfter } of changed) {
    const names = new Set(readers.get(name));
    const share = (bytesBefore - bytesAfter) / Math.max(names.size, 1);
    for (const node of names) saved.set(node, (saved.get(node) ?? 0) + share);
  }
  const nodes = Array.from(saved, ([name, bytes]) => ({ name, bytes })).filter(
    ({ bytes }) => bytes > 0,
  );
  if (nodes.length <= MAX_NODES) return nodes;
  const least = nodes.map(({ bytes }) => bytes).sort((a, b) => b - a)[MAX_NODES - 1] ?? 0;
  return nodes.filter(({ bytes }) => bytes >= least).slice(0, MAX_NODES);
}
