/**
 * @file `auto`: the smallest result that stays close.
 *
 * All candidates are planned, which tells their sizes without writing a weight; they are then made and run
 * beside the original from the smallest on, and the first that is close enough is kept. A model that
 * cannot be run here gets weight-only int8 per channel, which does not touch the activations.
 */
import type { Model } from "../onnx/model.ts";
import { type Candidate, makeCandidate } from "./candidate.ts";
import { describeSteps, type PassTools, type Step } from "./methods.ts";
import {
  type Attempt,
  type Bounds,
  CompressRefusal,
  type RefusalCode,
  type Verification,
} from "./types.ts";
import { boundsProblem, isMeasured, type Verified, type Verifier } from "./verification.ts";

/**
 * What "close" means where the caller gives no bound. On 200 printed lines that PP-OCR's recognizer reads at 0.965,
 * results at 23 dB and above on made-up inputs read 0.96 to 0.97, those at 8.4 and 5.9 dB read 0.00 and 0.52
 * (`npm run bench -- reading`). Callers who know their task better give samples or bounds.
 */
const DEFAULT_BOUNDS: Required<Bounds> = { min_sqnr_db: 15, min_cosine: 0.98 };
/** Classifier outputs have to agree on the winner this often, and whole numbers have to be equal this often. */
const MIN_AGREEMENT = 0.9;

export const SAFE: readonly Step[] = [{ method: "weight_only", options: {} }];

export const CANDIDATES: readonly (readonly Step[])[] = [
  SAFE,
  [{ method: "weight_only", options: { bits: 4, block_size: 32 } }],
  [{ method: "weight_only", options: { weight_type: "quint8" } }],
  [{ method: "dynamic", options: {} }],
  [{ method: "dynamic", options: { weight_type: "quint8" } }],
  [{ method: "float16", options: { keep_io_types: true } }],
];

/**
 * Only where inputs are given: ranges of made-up ones are not worth the time. It takes runs of the model to make, and
 * is no smaller than the other 8-bit candidates, so it is made when these are used up.
 */
export const CALIBRATED: readonly Step[] = [{ method: "static", options: {} }];
/** Candidates of 8 bits and less have at most this share of the original's bytes. */
const EIGHT_BIT_SHARE = 0.45;

export type AutoOutcome = { tried: Attempt[] } & (
  | { chosen: { candidate: Candidate; verified: Verified } }
  | { chosen: undefined; code: RefusalCode; message: string }
);

/**
 * @param tools with `calibrate` where there are inputs to find ranges with
 * @param shared options that hold for every candidate (nodes_to_exclude …)
 * @returns the candidate, or why none will do: `nothing_to_gain` or `not_close_enough`
 */
export async function chooseAutomatically(
  model: Model,
  originalBytes: number,
  shared: Record<string, unknown>,
  bounds: Bounds,
  verifier: Verifier,
  tools: PassTools,
): Promise<AutoOutcome> {
  const tried: Attempt[] = [];
  const runnable = verifier.skipReason(0) === undefined;
  const candidates: Candidate[] = [];
  const consider = async (steps: readonly Step[]): Promise<void> => {
    const withShared = steps.map(({ method, options }) => ({
      method,
      options: { ...sharedFor(method, shared), ...options },
    }));
    try {
      const candidate = await makeCandidate(model, withShared, tools);
      if (candidate.report.changed.length === 0) {
        tried.push(attempt(steps, null, "refused", "no weight changes"));
      } else if (candidate.byteLength >= originalBytes) {
        tried.push(
          attempt(steps, candidate.byteLength, "refused", "not smaller than the original"),
        );
      } else candidates.push(candidate);
    } catch (error) {
      if (!(error instanceof CompressRefusal)) throw error;
      tried.push(attempt(steps, null, "failed", error.message));
    }
    candidates.sort((a, b) => a.byteLength - b.byteLength);
  };
  for (const steps of runnable ? CANDIDATES : [SAFE]) await consider(steps);
  let calibrates = runnable && tools.calibrate !== undefined;
  let isSmaller = false;
  for (;;) {
    const next = candidates[0]?.byteLength ?? Infinity;
    if (calibrates && next > originalBytes * EIGHT_BIT_SHARE) {
      calibrates = false;
      await consider(CALIBRATED);
    }
    const candidate = candidates.shift();
    if (!candidate) break;
    isSmaller = true;
    const verified = await verifier.verify(candidate);
    const { verification } = verified;
    const record = attempt(candidate.steps, candidate.byteLength, "chosen", null);
    record.minCosine = verification.minCosine;
    record.minSqnrDb = verification.minSqnrDb;
    tried.push(record);
    const problem = closenessProblem(verification, bounds, isSafe(candidate));
    if (!problem) return { tried, chosen: { candidate, verified } };
    record.outcome = verification.loaded || !runnable ? "refused" : "failed";
    record.reason = problem;
  }
  if (!isSmaller) {
    const message = `no method makes the model smaller (${summary(tried)})`;
    return { tried, chosen: undefined, code: "nothing_to_gain", message };
  }
  const message = `no method stays close enough (${summary(tried)})`;
  return { tried, chosen: undefined, code: "not_close_enough", message };
}

/** The options that a caller may give to `auto` as well, where the method has them. */
function sharedFor(method: string, shared: Record<string, unknown>): Record<string, unknown> {
  if (method !== "float16") return shared;
  const { nodes_to_exclude } = shared;
  return nodes_to_exclude === undefined ? {} : { node_block_list: nodes_to_exclude };
}

function isSafe(candidate: Candidate): boolean {
  return (
    candidate.steps.length === 1 &&
    candidate.steps[0]?.method === "weight_only" &&
    candidate.steps[0].options["bits"] === undefined
  );
}

function closenessProblem(
  verification: Verification,
  asked: Bounds,
  safe: boolean,
): string | undefined {
  const { loaded, outputs, reason, runtime } = verification;
  const missed = boundsProblem(verification, asked);
  if (missed) return missed;
  if (runtime !== null && !loaded) return reason ?? "it does not load";
  if (!isMeasured(verification)) {
    // Where nothing tells how close it is, only the method that leaves the activations alone is trusted.
    const why = reason ?? "no output says how close it is";
    return safe ? undefined : `its closeness could not be measured: ${why}`;
  }
  const far = boundsProblem(verification, defaultsFor(verification, asked));
  if (far) return far;
  for (const { name, argmaxAgreement, equal } of outputs) {
    if (argmaxAgreement !== null && argmaxAgreement < MIN_AGREEMENT) {
      return `the largest element of "${name}" agrees in only ${argmaxAgreement} of the rows`;
    }
    if (equal !== null && equal < MIN_AGREEMENT) return `only ${equal} of "${name}" is equal`;
  }
  return undefined;
}

/** The default bounds on what was measured and the caller has not bounded. */
function defaultsFor({ minCosine, minSqnrDb }: Verification, asked: Bounds): Bounds {
  const { min_cosine, min_sqnr_db } = { ...DEFAULT_BOUNDS, ...asked };
  return {
    ...(minCosine === null ? {} : { min_cosine }),
    ...(minSqnrDb === null ? {} : { min_sqnr_db }),
  };
}

function attempt(
  steps: readonly Step[],
  bytes: number | null,
  outcome: Attempt["outcome"],
  reason: string | null,
): Attempt {
  return { method: describeSteps(steps), bytes, minSqnrDb: null, minCosine: null, outcome, reason };
}

function summary(tried: readonly Attempt[]): string {
  return tried.map(({ method, reason }) => `${method}: ${reason}`).join("; ");
}
