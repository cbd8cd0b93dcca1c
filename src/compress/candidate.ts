/** @file One compressed model: what was done, how large it is, its bytes where they fit into memory. */
import { subgraphs } from "../graph/attributes.ts";
import { cloneModel } from "../graph/clone.ts";
import type { PassReport } from "../graph/report.ts";
import type { Graph, Model } from "../onnx/model.ts";
import { MemorySink } from "../onnx/source.ts";
import { type ModelPlan, planModel } from "../onnx/write-model.ts";
import { type PassTools, runSteps, type Step } from "./methods.ts";

export interface Candidate {
  steps: readonly Step[];
  model: Model;
  report: PassReport;
  plan: ModelPlan;
  /** Bytes of all its files. */
  byteLength: number;
}

/** Where weights go when the model's file would pass protobuf's 2 GiB. */
const EXTERNAL_LOCATION = "model.onnx.data";

/** Applies the steps to a copy of the model. No weight's bytes are written yet. */
export async function makeCandidate(
  model: Model,
  steps: readonly Step[],
  tools: PassTools,
): Promise<Candidate> {
  const copy = cloneModel(model);
  forgetInitializerInfos(copy.graph);
  const report = await runSteps(copy, steps, tools);
  const plan = planModel(copy, { external: { location: EXTERNAL_LOCATION, onlyIfNeeded: true } });
  return {
    steps,
    model: copy,
    report,
    plan,
    byteLength: plan.byteLength + (plan.external?.byteLength ?? 0),
  };
}

/**
 * Drops what value infos say of initializers. ONNX Runtime does not look at it while they are initializers, but does
 * once the name is a node's output, and refuses the model where it is wrong.
 */
function forgetInitializerInfos(graph: Graph): void {
  graph.valueInfos = graph.valueInfos.filter(({ name }) => !graph.initializers.has(name));
  for (const node of graph.nodes) subgraphs(node).forEach(forgetInitializerInfos);
}

/** The candidate's file; only for candidates without external data. */
export async function candidateBytes(candidate: Candidate): Promise<Uint8Array> {
  const sink = new MemorySink(candidate.plan.byteLength);
  await candidate.plan.write(sink);
  return sink.bytes;
}
