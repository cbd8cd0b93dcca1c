/** @file One run of the original model, kept so that several candidates can be compared with it. */
import type { Samples } from "../compress/types.ts";
import { subgraphs } from "../graph/attributes.ts";
import type { Graph, Model } from "../onnx/model.ts";
import type { HostTensor, Runtime, Session } from "../runtime/runtime.ts";
import { SyntheticInputs } from "./synthetic.ts";

/** A complete inline ONNX file, or a way to get one when its turn has come, so that not all are in memory at once. */
export type ModelBytes = Uint8Array | { readonly byteLength: number; read(): Promise<Uint8Array> };

export interface ReferenceOptions {
  /** The original's graph. */
  model: Model;
  runtime: Runtime;
  /** Given inputs, one record per run; without them they are made up. */
  samples?: Samples;
  /** How many made-up inputs to run (default 2; 1 for a costly model). */
  runs?: number;
}

export interface Reference {
  model: Model;
  runtime: Runtime;
  /** What was fed; made-up inputs even when the original could not be run with them. */
  samples: Samples;
  /** `given` or `synthetic`, and how many. */
  inputs: string | null;
  /** The original's outputs, one record per sample; empty when it was not run. */
  outputs: Record<string, HostTensor>[];
  /** Why the original was not run. */
  reason: string | null;
  /** Outputs that differ from run to run, on the same input. */
  random: ReadonlySet<string>;
}

/** Most bytes of outputs that are kept; larger ones make the reference stop after the first sample. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;
const DEFAULT_RUNS = 2;

const RANDOM_OPS = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
  "Dropout",
]);

/**
 * Loads the original, runs it and releases it. It never throws for the model's sake: what went wrong is in `reason`,
 * and a candidate can still be loaded.
 */
export async function referenceRun(
  original: ModelBytes,
  options: ReferenceOptions,
): Promise<Reference> {
  const { model, runtime } = options;
  const reference: Reference = {
    model,
    runtime,
    samples: options.samples ?? [],
    inputs: options.samples ? `given, ${options.samples.length}` : null,
    outputs: [],
    reason: null,
    random: new Set(),
  };
  let session: Session;
  try {
    session = await loadModel(runtime, original);
  } catch (error) {
    return { ...reference, reason: `the original was not run: ${messageOf(error)}` };
  }
  try {
    if (!options.samples) await makeSamples(reference, session, options.runs);
    await runSamples(reference, session);
    if (hasRandomOps(model.graph)) await findRandom(reference, session);
  } catch (error) {
    return { ...reference, outputs: [], reason: `the original was not run: ${messageOf(error)}` };
  } finally {
    await session.release();
  }
  return reference;
}

/** @throws Error with ONNX Runtime's message, or when the model is too large for the runtime */
export async function loadModel(runtime: Runtime, bytes: ModelBytes): Promise<Session> {
  if (bytes.byteLength > runtime.maxModelBytes) {
    throw new Error(
      `the model has ${bytes.byteLength} bytes, ${runtime.name} takes at most ${runtime.maxModelBytes}`,
    );
  }
  return await runtime.load(bytes instanceof Uint8Array ? bytes : await bytes.read());
}

/** Finds sizes with which the model runs, and makes the samples with them. */
async function makeSamples(
  reference: Reference,
  session: Session,
  asked: number | undefined,
): Promise<void> {
  const synthetic = await SyntheticInputs.of(reference.model);
  const runs = asked ?? (synthetic.costly ? 1 : DEFAULT_RUNS);
  let firstError: unknown;
  for (const sizes of synthetic.choices) {
    try {
      const first = synthetic.feeds(sizes, 0);
      reference.outputs = [await session.run(first)];
      reference.samples = [first];
      for (let seed = 1; seed < runs; seed++) reference.samples.push(synthetic.feeds(sizes, seed));
      reference.inputs = `synthetic, ${reference.samples.length}`;
      return;
    } catch (error) {
      firstError ??= error;
    }
  }
  throw new Error(
    `no made-up input ran (${synthetic.choices.length} tried; give samples): ${messageOf(firstError)}`,
  );
}

async function runSamples(reference: Reference, session: Session): Promise<void> {
  const { samples, outputs } = reference;
  let kept = 0;
  for (const [index, feeds] of samples.entries()) {
    outputs[index] ??= await session.run(feeds);
    for (const output of Object.values(outputs[index])) kept += output.bytes.length;
    if (kept < MAX_KEPT_BYTES || index === samples.length - 1) continue;
    samples.length = index + 1;
    const kind = reference.inputs?.split(",")[0] ?? "";
    reference.inputs = `${kind}, ${samples.length} (the outputs of more are too large to keep)`;
    return;
  }
}

async function findRandom(reference: Reference, session: Session): Promise<void> {
  const [feeds] = reference.samples;
  const [outputs] = reference.outputs;
  if (!feeds || !outputs) return;
  const again = await session.run(feeds);
  const random = Object.keys(outputs).filter((name) => {
    const [a, b] = [outputs[name]?.bytes, again[name]?.bytes];
    return a?.length !== b?.length || a?.some((byte, i) => byte !== b?.[i]);
  });
  reference.random = new Set(random);
}

/** True when a node draws random numbers, here or in a subgraph; Dropout only does when it is told to train. */
export function hasRandomOps(graph: Graph): boolean {
  return graph.nodes.some(
    (node) =>
      (RANDOM_OPS.has(node.opType) && (node.opType !== "Dropout" || Boolean(node.inputs[2]))) ||
      subgraphs(node).some(hasRandomOps),
  );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
