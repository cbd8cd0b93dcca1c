/** @file Does the result load, does it run, and how close is it: beside the original, one session at a time. */
import type { OutputComparison, Verification } from "../compress/types.ts";
import { isDataType } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import { DoesNotFitError, type HostTensor, type Session } from "../runtime/runtime.ts";
import { LOST_SQNR_DB, OutputComparer } from "./compare.ts";
import { convertTensor } from "./elements.ts";
import {
  type ModelBytes,
  type Reference,
  type ReferenceOptions,
  loadModel,
  messageOf,
  referenceRun,
} from "./reference.ts";
import { fedInputs } from "./synthetic.ts";

/** Begins the reason of a result that fails on what the original takes. */
export const DOES_NOT_RUN = "the result does not run";

export interface VerifyOptions extends ReferenceOptions {
  /** The result's graph, where its inputs may have other element types than the original's. */
  resultModel?: Model;
}

/** Runs the original and the result on the same inputs. */
export async function verify(
  original: ModelBytes,
  result: ModelBytes,
  options: VerifyOptions,
): Promise<Verification> {
  const reference = await referenceRun(original, options);
  return await compareWith(reference, result, options.resultModel);
}

/**
 * Loads a candidate and runs it on the reference's samples. It never throws for the candidate's sake: what went wrong
 * is in `reason`. An output that is missing, of another shape, or with NaN or Inf that the original does not have
 * makes `minCosine` 0 and `minSqnrDb` -100.
 */
export async function compareWith(
  reference: Reference,
  candidate: ModelBytes,
  candidateModel: Model = reference.model,
): Promise<Verification> {
  const verification: Verification = {
    loaded: false,
    ran: false,
    reason: reference.reason,
    runtime: reference.runtime.name,
    inputs: reference.inputs,
    outputs: [],
    minCosine: null,
    minSqnrDb: null,
  };
  let session: Session;
  try {
    session = await loadModel(reference.runtime, candidate);
  } catch (error) {
    // What ONNX Runtime has no room for here says nothing about the result.
    const fits = !(error instanceof DoesNotFitError);
    const what = fits ? "the result does not load" : "the result was not run";
    const reasons = [`${what}: ${messageOf(error)}`, reference.reason];
    const runtime = fits ? verification.runtime : null;
    return { ...verification, runtime, reason: reasons.filter(Boolean).join("; ") };
  }
  verification.loaded = true;
  if (reference.reason) {
    await session.release();
    return verification;
  }
  try {
    return {
      ...verification,
      ran: true,
      ...(await compareRuns(reference, session, candidateModel)),
    };
  } catch (error) {
    const what = error instanceof DoesNotFitError ? "the result was not run" : DOES_NOT_RUN;
    return { ...verification, reason: `${what}: ${messageOf(error)}` };
  } finally {
    await session.release();
  }
}

type Compared = Pick<Verification, "outputs" | "minCosine" | "minSqnrDb" | "reason">;

async function compareRuns(
  reference: Reference,
  session: Session,
  model: Model,
): Promise<Compared> {
  const comparers = new Map<string, OutputComparer>();
  for (const name of Object.keys(reference.outputs[0] ?? {})) {
    if (!reference.random.has(name)) comparers.set(name, new OutputComparer(name));
  }
  for (const [index, sample] of reference.samples.entries()) {
    const outputs = await session.run(feedsFor(sample, model));
    for (const [name, comparer] of comparers) {
      const original = reference.outputs[index]?.[name];
      if (original) comparer.add(original, outputs[name]);
    }
  }
  const outputs = [...comparers.values()].map((comparer) => comparer.finish());
  const failures = [...comparers.values()].flatMap(({ failure }) => failure ?? []);
  const notes = failures.map((failure) => `the result's ${failure}`);
  if (reference.random.size > 0) {
    const names = [...reference.random].map((name) => `"${name}"`).join(", ");
    notes.push(`the original is random: ${names} differ between two runs and were not compared`);
  }
  const figures = outputs.filter(({ sqnrDb, equal }) => sqnrDb !== null || equal !== null);
  if (outputs.length > 0 && figures.length === 0) {
    notes.push("all outputs are blank (zeros, or next to them) on these inputs: give samples");
  }
  return {
    outputs,
    minCosine: failures.length > 0 ? 0 : least(outputs, "cosine"),
    minSqnrDb: failures.length > 0 ? LOST_SQNR_DB : least(outputs, "sqnrDb"),
    reason: notes.join("; ") || null,
  };
}

function least(outputs: OutputComparison[], key: "cosine" | "sqnrDb"): number | null {
  const values = outputs.flatMap((output) => output[key] ?? []);
  return values.length > 0 ? Math.min(...values) : null;
}

/** The sample in the element types that the candidate's inputs have (float16 where its inputs were converted). */
function feedsFor(sample: Record<string, HostTensor>, model: Model): Record<string, HostTensor> {
  const feeds: Record<string, HostTensor> = {};
  for (const { name, type } of fedInputs(model)) {
    const tensor = sample[name];
    if (!tensor)
      throw new Error(`the result has an input "${name}" that the original does not have`);
    const wanted = type?.kind === "tensor" ? type.elementType : 0;
    feeds[name] = isDataType(wanted) ? convertTensor(tensor, wanted) : tensor;
  }
  return feeds;
}
