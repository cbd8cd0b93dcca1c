/** @file Verifying candidates against one run of the original, or saying why they are not run. */
import { subgraphs } from "../graph/attributes.ts";
import type { Graph, Model } from "../onnx/model.ts";
import { modelBytes } from "../onnx/write-model.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Reference, referenceRun } from "../verify/reference.ts";
import { compareWith, DOES_NOT_RUN } from "../verify/verify.ts";
import { type Candidate, candidateBytes } from "./candidate.ts";
import type { Bounds, Samples, Verification } from "./types.ts";

/** A candidate that was looked at: its file where that was made, and what came out. */
export interface Verified {
  bytes: Uint8Array | undefined;
  verification: Verification;
}

export class Verifier {
  readonly #model: Model;
  readonly #bytes: () => Promise<Uint8Array>;
  readonly #byteLength: number;
  readonly #runtime: Runtime | undefined;
  readonly #samples: Samples | undefined;
  #reference: Promise<Reference> | undefined;
  #nodes: number | undefined;

  /** @param inMemory the original's file, where it is in memory without external data */
  constructor(
    model: Model,
    byteLength: number,
    inMemory: Uint8Array | undefined,
    runtime: Runtime | undefined,
    samples: Samples | undefined,
  ) {
    this.#model = model;
    this.#byteLength = byteLength;
    this.#bytes = async () => inMemory ?? (await modelBytes(model));
    this.#runtime = runtime;
    this.#samples = samples;
  }

  /** Why results are not run here; `undefined` when they are. */
  skipReason(candidateBytes: number): string | undefined {
    if (!this.#runtime) return "verification was turned off";
    const limit = this.#runtime.maxModelBytes;
    const larger = Math.max(this.#byteLength, candidateBytes);
    if (larger > limit) {
      return `the model is ${larger} bytes, ONNX Runtime takes at most ${limit} here`;
    }
    const { maxModelNodes = Infinity } = this.#runtime;
    this.#nodes ??= nodeCount(this.#model.graph);
    if (this.#nodes <= maxModelNodes) return undefined;
    return `the model has ${this.#nodes} nodes, ONNX Runtime loads at most ${maxModelNodes} here`;
  }

  async verify(candidate: Candidate): Promise<Verified> {
    const reason = this.skipReason(candidate.byteLength);
    const runtime = this.#runtime;
    if (reason || !runtime) return { bytes: undefined, verification: notRun(reason ?? null) };
    this.#reference ??= this.#runOriginal(runtime);
    const reference = await this.#reference;
    const bytes = await candidateBytes(candidate);
    return { bytes, verification: await compareWith(reference, bytes, candidate.model) };
  }

  async #runOriginal(runtime: Runtime): Promise<Reference> {
    const samples = this.#samples ? { samples: this.#samples } : {};
    const original = { byteLength: this.#byteLength, read: this.#bytes };
    return await referenceRun(original, { model: this.#model, runtime, ...samples });
  }
}

/** With those of subgraphs. */
function nodeCount({ nodes }: Graph): number {
  const inside = nodes.flatMap(subgraphs).map(nodeCount);
  return inside.reduce((sum, count) => sum + count, nodes.length);
}

/** For results that were not run, with the reason. */
export function notRun(reason: string | null): Verification {
  return {
    loaded: false,
    ran: false,
    reason,
    runtime: null,
    inputs: null,
    outputs: [],
    minCosine: null,
    minSqnrDb: null,
  };
}

/**
 * Why a result does not meet the bounds; `undefined` when it does, and where none is given. What was asked for
 * and cannot be measured is not met, unless the outputs are whole numbers that are all equal.
 */
export function boundsProblem(verification: Verification, bounds: Bounds): string | undefined {
  return (
    boundProblem(verification, "cosine", verification.minCosine, "min_cosine", bounds) ??
    boundProblem(verification, "SQNR in dB", verification.minSqnrDb, "min_sqnr_db", bounds)
  );
}

/** What a simplification may differ by where no bound is given: float32 that is rounded otherwise is above 80 dB. */
const SAME_SQNR_DB = 40;
const SAME_SHARE = 0.9;

/** Why a result that should answer as the original does not; `undefined` where it does, or was not compared. */
export function changeProblem(verification: Verification, asked: Bounds): string | undefined {
  const { ran, reason, minSqnrDb, outputs } = verification;
  if (reason?.startsWith(DOES_NOT_RUN)) return reason;
  if (!ran || asked.min_sqnr_db !== undefined || asked.min_cosine !== undefined) return undefined;
  if (minSqnrDb !== null && minSqnrDb < SAME_SQNR_DB) {
    return `the answers are not the original's: ${minSqnrDb.toFixed(1)} dB; min_sqnr_db takes a result that is less close than ${SAME_SQNR_DB} dB`;
  }
  const unequal = outputs.find(({ equal }) => equal !== null && equal < SAME_SHARE);
  return (
    unequal &&
    `the answers are not the original's: only ${unequal.equal} of "${unequal.name}" is equal`
  );
}

function boundProblem(
  { ran, reason, outputs }: Verification,
  what: string,
  value: number | null,
  name: keyof Bounds,
  bounds: Bounds,
): string | undefined {
  const bound = bounds[name];
  if (bound === undefined) return undefined;
  if (!ran) return `${name} was asked for and could not be measured: ${reason}`;
  if (value !== null) {
    return value < bound ? `${what} ${value.toFixed(6)} is below ${name} ${bound}` : undefined;
  }
  if (outputs.length > 0 && outputs.every(({ equal }) => equal === 1)) return undefined;
  return `${name} was asked for and could not be measured: no output has a ${what}`;
}

/** True where at least one number says how close the outputs are. */
export function isMeasured({ ran, minCosine, minSqnrDb, outputs }: Verification): boolean {
  const compared = minCosine !== null || minSqnrDb !== null;
  return ran && (compared || outputs.some(({ equal }) => equal !== null));
}
