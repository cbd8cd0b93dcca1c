/**
 * @file A compression from bytes to bytes: read, check, apply, verify, report.
 */
import { checkModel } from "../graph/check.ts";
import { checkSparse } from "../graph/check-sparse.ts";
import { lineageTrailer } from "../graph/lineage.ts";
import { emptyReport } from "../graph/report.ts";
import { Arena } from "../kernels/arena.ts";
import type { Model } from "../onnx/model.ts";
import { readModel } from "../onnx/read-model.ts";
import { MemorySource } from "../onnx/source.ts";
import { givenInputs } from "../calibrate/inputs.ts";
import { alreadyQuantized } from "../quantize/quantized.ts";
import { chooseAutomatically } from "./auto.ts";
import { type Candidate, makeCandidate } from "./candidate.ts";
import { describeSteps, type PassTools, type Step } from "./methods.ts";
import { OPERATORS } from "./operator-table.ts";
import { outputFiles } from "./output-files.ts";
import { parseRequest, type Wanted } from "./request.ts";
import { calibrateHere } from "./static-step.ts";
import {
  type Attempt,
  type CompressEnvironment,
  type CompressionReport,
  CompressRefusal,
  type CompressRequest,
  type Compressed,
  type ModelInput,
  type Samples,
  type Verification,
} from "./types.ts";
import { noteGain, withInputShapes } from "./simplify-step.ts";
import { boundsProblem, changeProblem, notRun, Verifier } from "./verification.ts";

const DEFAULT_ARENA_BYTES = 16 << 20;

/**
 * Compresses a model. Small results are complete when this returns; of large ones the weights are read and
 * written when their files are.
 * @param samples inputs for verification; without them synthetic ones are made
 * @throws OnnxError for a model that cannot be read, CompressRefusal for one that has no good result,
 *   UnknownNameError for names that it does not have, RangeError for options outside their range
 */
export async function compress(
  input: ModelInput,
  request: CompressRequest,
  environment: CompressEnvironment,
  samples?: Samples,
): Promise<Compressed> {
  const file = await openModel(input);
  const wanted = parseRequest(request, file.model);
  const opened = wanted.operation === "simplify" ? withInputShapes(file, wanted.shared) : file;
  const { model, byteLength, inMemory } = opened;
  const trailer = await lineageOf(input, request, model);
  environment.signal?.throwIfAborted();
  const arena = await Arena.create(
    environment.kernels,
    environment.arenaBytes ?? DEFAULT_ARENA_BYTES,
  );
  const runtime = wanted.verify ? environment.runtime : undefined;
  const verifier = new Verifier(model, byteLength, inMemory, runtime, samples);
  environment.onProgress?.(0, "planning");
  const { check, calibration, signal } = environment;
  const inputs = environment.calibrationInputs ?? (samples && givenInputs(samples));
  const here = calibrateHere(environment.runtime, byteLength, inputs, {
    signal,
    onProgress: (fraction) => environment.onProgress?.(fraction, "calibrating"),
  });
  const calibrate = calibration ? async () => calibration : here;
  const { candidate, bytes, report } = wanted.steps
    ? await applySteps(
        wanted,
        wanted.steps,
        opened,
        verifier,
        { arena, check, calibrate, runtime: environment.runtime },
        environment,
      )
    : await applyAuto(wanted, opened, verifier, {
        arena,
        ...(inputs && verifier.skipReason(0) === undefined ? { calibrate } : {}),
      });
  const files = outputFiles(candidate, bytes, trailer, environment);
  const bytesAfter = report.bytesAfter + trailer.length;
  const ratio = report.bytesBefore / bytesAfter;
  return { report: Object.assign(report, { bytesAfter, ratio }), files };
}

/** What follows the model's file; it counts for nothing where sizes are compared. */
async function lineageOf(
  { sha256 }: ModelInput,
  { operation, options }: CompressRequest,
  model: Model,
): Promise<Uint8Array> {
  if (sha256 === undefined) return new Uint8Array(0);
  return await lineageTrailer(model, { parent: sha256, operation, options });
}

export interface OpenedModel {
  model: Model;
  /** Of all files. */
  byteLength: number;
  inMemory: Uint8Array | undefined;
}

async function openModel({ source, external }: ModelInput): Promise<OpenedModel> {
  const files = new Map<string, number>();
  const model = await readModel(source, {
    external:
      external &&
      (async (location) => {
        const file = await external(location);
        if (file) files.set(location, file.size);
        return file;
      }),
  });
  checkModel(model, OPERATORS);
  await checkSparse(model);
  const byteLength = [...files.values()].reduce((sum, size) => sum + size, source.size);
  const inMemory = source instanceof MemorySource && files.size === 0 ? source.bytes : undefined;
  return { model, byteLength, inMemory };
}

interface Result {
  candidate: Candidate;
  bytes: Uint8Array | undefined;
  report: CompressionReport;
}

async function applyAuto(
  wanted: Wanted,
  { model, byteLength }: OpenedModel,
  verifier: Verifier,
  tools: PassTools,
): Promise<Result> {
  const outcome = await chooseAutomatically(
    model,
    byteLength,
    wanted.shared,
    wanted.bounds,
    verifier,
    tools,
  );
  const { tried, chosen } = outcome;
  if (!chosen) {
    const { code, message } = outcome;
    const hint = code === "nothing_to_gain" ? quantizedHint(model) : "";
    const nothing = makeReport(wanted, "auto", byteLength, undefined, notRun(message), tried);
    throw new CompressRefusal(code, `${message}${hint}`, nothing);
  }
  const { candidate, verified } = chosen;
  const method = describeSteps(candidate.steps);
  const report = makeReport(wanted, method, byteLength, candidate, verified.verification, tried);
  return { candidate, bytes: verified.bytes, report };
}

async function applySteps(
  wanted: Wanted,
  steps: readonly Step[],
  { model, byteLength }: OpenedModel,
  verifier: Verifier,
  tools: PassTools,
  environment: CompressEnvironment,
): Promise<Result> {
  const candidate = await makeCandidate(model, steps, tools);
  const report = (verification: Verification) =>
    makeReport(wanted, describeSteps(steps), byteLength, candidate, verification, []);
  if (wanted.operation === "simplify") noteGain(candidate, byteLength);
  else refuseWithoutGain(report(notRun("the result was refused before it was run")), model);
  environment.onProgress?.(0, "verifying");
  const { bytes, verification } = await verifier.verify(candidate);
  const complete = report(verification);
  if (verification.runtime !== null && !verification.loaded) {
    throw new CompressRefusal(
      "does_not_load",
      verification.reason ?? "the result does not load",
      complete,
    );
  }
  const problem =
    boundsProblem(verification, wanted.bounds) ??
    (wanted.operation === "simplify" ? changeProblem(verification, wanted.bounds) : undefined);
  if (problem) throw new CompressRefusal("not_close_enough", problem, complete);
  return { candidate, bytes, report: complete };
}

/** @param candidate `undefined` where none was good: the model stays as it was */
function makeReport(
  wanted: Wanted,
  method: string,
  bytesBefore: number,
  candidate: Candidate | undefined,
  verification: Verification,
  tried: Attempt[],
): CompressionReport {
  const bytesAfter = candidate?.byteLength ?? bytesBefore;
  return {
    operation: wanted.operation,
    method,
    options: wanted.asked,
    bytesBefore,
    bytesAfter,
    ratio: bytesBefore / bytesAfter,
    verification,
    tried,
    ...(candidate?.report ?? emptyReport()),
  };
}

function refuseWithoutGain(report: CompressionReport, model: Model): void {
  const { bytesBefore, bytesAfter, changed, kept, notes, operation } = report;
  if (changed.length === 0) {
    const reasons = [...new Set(kept.map(({ reason }) => reason)), ...notes].slice(0, 5);
    const why = reasons.join("; ") || "the model has none that the method takes";
    throw new CompressRefusal(
      "nothing_to_gain",
      `no weight was changed: ${why}${quantizedHint(model)}`,
      report,
    );
  }
  if (bytesAfter > bytesBefore || (bytesAfter === bytesBefore && operation === "quantize")) {
    throw new CompressRefusal(
      "nothing_to_gain",
      `the result would be ${bytesAfter} bytes, the model is ${bytesBefore}: scales, zero points and nodes outweigh what the weights save`,
      report,
    );
  }
}

function quantizedHint(model: Model): string {
  const { summary } = alreadyQuantized(model);
  return summary ? `; ${summary}` : "";
}
