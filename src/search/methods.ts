/** @file The methods that a search may try on a model, planned: what each would save, and at which nodes. */
import { CALIBRATED, CANDIDATES, SAFE } from "../compress/auto.ts";
import { observedValues } from "../calibrate/observed.ts";
import { makeCandidate } from "../compress/candidate.ts";
import { describeSteps, type Options, type PassTools, type Step } from "../compress/methods.ts";
import type { Calibrate } from "../compress/static-step.ts";
import { CompressRefusal } from "../compress/types.ts";
import type { WeightChange } from "../graph/report.ts";
import { Scope } from "../graph/scope.ts";
import { findWeights } from "../graph/weights.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import type { Candidate, SearchMethod, SearchNode } from "./trial.ts";

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
 * @param calibration how static quantization finds its ranges: the options that name the rows
 */
export async function planMethods(
  model: Model,
  bytes: number,
  tools: PassTools,
  calibration: Options,
): Promise<{ methods: PlannedMethod[]; refused: RefusedMethod[] }> {
  const readers = readersOf(model);
  const methods: PlannedMethod[] = [];
  const refused: RefusedMethod[] = [];
  for (const steps of [...CANDIDATES, CALIBRATED]) {
    const what = describeSteps(steps);
    try {
      const planned = await makeCandidate(model, steps, { ...tools, calibrate: unitRanges });
      const { byteLength, report } = planned;
      if (report.changed.length === 0) refused.push({ what, reason: "no weight changes" });
      else if (byteLength >= bytes) refused.push({ what, reason: "not smaller than the original" });
      else {
        const nodes = changedNodes(report.changed, readers);
        const options = { ...optionsOf(steps), ...(steps === CALIBRATED ? calibration : {}) };
        methods.push({ what, bytes: byteLength, nodes, options });
      }
    } catch (error) {
      if (!(error instanceof CompressRefusal)) throw error;
      refused.push({ what, reason: error.message });
    }
  }
  const rest = methods.findIndex(({ what }) => what === describeSteps(SAFE));
  for (const method of methods) {
    if (rest >= 0 && method.options["bits"] === 4) method.rest = rest;
  }
  return { methods, refused };
}

/** Ranges that are as good as any to know how large a model will be. */
const unitRanges: Calibrate = async (model, options) => {
  const { inputs, values } = await observedValues(model, options);
  const range = { min: 0, max: 1, low: 0, high: 1 };
  const ranges = new Map([...inputs, ...values].map((name) => [name, range]));
  return { inputs: "none", isMadeUp: true, ranges, unusable: new Map() };
};

/** `weight_only bits=4 block_size=32, then weight_only`, for whoever reads the result. */
export function candidateName(methods: readonly SearchMethod[], candidate: Candidate): string {
  const { method, rest } = candidate;
  const name = (index: number) => methods[index]?.what ?? "";
  return rest === undefined ? name(method) : `${name(method)}, then ${name(rest)}`;
}

/** The compressions that make a candidate, one after the other. */
export function candidateSteps(
  methods: readonly PlannedMethod[],
  { method, excluded, rest }: Candidate,
): Options[] {
  const made = candidateOptions(methods[method]?.options ?? {}, excluded);
  return rest === undefined ? [made] : [made, methods[rest]?.options ?? {}];
}

/** The method on all nodes but those that are excluded. */
function candidateOptions(options: Options, excluded: readonly string[]): Options {
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
