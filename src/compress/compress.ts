/**
 * @file A compression from bytes to bytes: read, check, apply, verify, report.
 */
import { Arena } from "../kernels/arena.ts";
import type { Model } from "../onnx/model.ts";
import { readModel } from "../onnx/read-model.ts";
import { type ByteSink, MemorySource } from "../onnx/source.ts";
import type { PlannedFile } from "../onnx/write-model.ts";
import { checkModel } from "../graph/check.ts";
import { presetFor } from "../quantize/presets.ts";
import { chooseAutomatically } from "./auto.ts";
import { type Candidate, makeCandidate } from "./candidate.ts";
import { describeSteps, type Options, type Step } from "./methods.ts";
import { OPERATORS } from "./operator-table.ts";
import {
  type Attempt,
  type Bounds,
  type CompressEnvironment,
  type CompressionReport,
  CompressRefusal,
  type CompressRequest,
  type Compressed,
  type ModelInput,
  type OutputFile,
  type Samples,
} from "./types.ts";
import { boundsProblem, type Verified, Verifier } from "./verification.ts";

const DEFAULT_ARENA_BYTES = 16 << 20;

/** Options of the compression itself; the rest are the method's. */
interface Request {
  operation: CompressRequest["operation"];
  /** As asked for, for the report. */
  asked: Options;
  /** `undefined`: auto. */
  steps: readonly Step[] | undefined;
  shared: Options;
  bounds: Bounds;
  verify: boolean;
}

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
  const wanted = parseRequest(request);
  const { model, byteLength, inMemory } = await openModel(input);
  environment.signal?.throwIfAborted();
  const arena = await Arena.create(
    environment.kernels,
    environment.arenaBytes ?? DEFAULT_ARENA_BYTES,
  );
  const runtime = wanted.verify ? environment.runtime : undefined;
  const verifier = new Verifier(model, byteLength, inMemory, runtime, samples);
  environment.onProgress?.(0, "planning");
  if (!wanted.steps) {
    const choice = await chooseAutomatically(
      model,
      byteLength,
      wanted.shared,
      wanted.bounds,
      verifier,
      arena,
    );
    const method = describeSteps(choice.candidate.steps);
    return finish(
      report(wanted, method, byteLength, choice.candidate, choice.verified, choice.tried),
      choice,
      environment,
    );
  }
  const candidate = await makeCandidate(model, wanted.steps, arena);
  const unverified = report(
    wanted,
    describeSteps(wanted.steps),
    byteLength,
    candidate,
    undefined,
    [],
  );
  refuseWithoutGain(wanted, unverified);
  environment.onProgress?.(0, "verifying");
  const verified = await verifier.verify(candidate);
  const complete = report(wanted, describeSteps(wanted.steps), byteLength, candidate, verified, []);
  refuseBadResult(complete, wanted.bounds, runtime !== undefined && verified.bytes !== undefined);
  return finish(complete, { candidate, verified }, environment);
}

function parseRequest({ operation, options }: CompressRequest): Request {
  const { method, dtype, verify, min_sqnr_db, min_cosine, ...rest } = options;
  const bounds: Bounds = {};
  if (typeof min_sqnr_db === "number") bounds.min_sqnr_db = min_sqnr_db;
  if (typeof min_cosine === "number") bounds.min_cosine = min_cosine;
  const common = { operation, asked: options, bounds, verify: verify !== false, shared: rest };
  if (operation === "prune") {
    const steps = [{ method: "prune", options: method === undefined ? rest : { method, ...rest } }];
    return { ...common, steps };
  }
  if (typeof dtype === "string") {
    const steps = presetFor(dtype).passes.map((pass) => ({
      method: pass.method,
      options: { ...pass.options, ...rest },
    }));
    return { ...common, steps };
  }
  if (typeof method !== "string" || method === "auto") return { ...common, steps: undefined };
  return { ...common, steps: [{ method, options: rest }] };
}

interface OpenedModel {
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
  const byteLength = [...files.values()].reduce((sum, size) => sum + size, source.size);
  const inMemory = source instanceof MemorySource && files.size === 0 ? source.bytes : undefined;
  return { model, byteLength, inMemory };
}

function report(
  request: Request,
  method: string,
  bytesBefore: number,
  candidate: Candidate,
  verified: Verified | undefined,
  tried: Attempt[],
): CompressionReport {
  const bytesAfter = candidate.byteLength;
  return {
    operation: request.operation,
    method,
    options: request.asked,
    bytesBefore,
    bytesAfter,
    ratio: bytesBefore / bytesAfter,
    verification: verified?.verification ?? {
      loaded: false,
      ran: false,
      reason: "the result was refused before it was run",
      runtime: null,
      inputs: null,
      outputs: [],
      minCosine: null,
      minSqnrDb: null,
    },
    tried,
    ...candidate.report,
  };
}

function refuseWithoutGain(request: Request, complete: CompressionReport): void {
  if (complete.changed.length === 0) {
    const reasons = [
      ...new Set(complete.kept.map(({ reason }) => reason)),
      ...complete.notes,
    ].slice(0, 5);
    throw new CompressRefusal(
      "nothing_to_gain",
      `no weight was changed: ${reasons.join("; ") || "the model has none that the method takes"}`,
      complete,
    );
  }
  const { bytesBefore, bytesAfter } = complete;
  if (
    bytesAfter > bytesBefore ||
    (bytesAfter === bytesBefore && request.operation === "quantize")
  ) {
    throw new CompressRefusal(
      "nothing_to_gain",
      `the result would be ${bytesAfter} bytes, the model is ${bytesBefore}: scales, zero points and nodes outweigh what the weights save`,
      complete,
    );
  }
}

function refuseBadResult(complete: CompressionReport, bounds: Bounds, wasRun: boolean): void {
  const { verification } = complete;
  if (wasRun && !verification.loaded) {
    throw new CompressRefusal(
      "does_not_load",
      verification.reason ?? "the result does not load",
      complete,
    );
  }
  const problem = boundsProblem(verification, bounds);
  if (problem) throw new CompressRefusal("not_close_enough", problem, complete);
}

function finish(
  complete: CompressionReport,
  { candidate, verified }: { candidate: Candidate; verified: Verified },
  environment: CompressEnvironment,
): Compressed {
  const progress = new Progress(candidate.byteLength, environment);
  const main: PlannedFile = verified.bytes ? inMemoryFile(verified.bytes) : candidate.plan;
  const files: OutputFile[] = [outputFile(null, main, progress)];
  const { external } = candidate.plan;
  if (external) files.push(outputFile(external.location, external, progress));
  return { report: complete, files };
}

function inMemoryFile(bytes: Uint8Array): PlannedFile {
  return { byteLength: bytes.length, write: async (sink) => await sink.write(bytes) };
}

function outputFile(location: string | null, file: PlannedFile, progress: Progress): OutputFile {
  return {
    location,
    byteLength: file.byteLength,
    write: (sink) => file.write(progress.watch(sink)),
  };
}

/** Counts what is written, and stops it when the signal says so. */
class Progress {
  readonly #total: number;
  readonly #environment: CompressEnvironment;
  #written = 0;

  constructor(total: number, environment: CompressEnvironment) {
    this.#total = total;
    this.#environment = environment;
  }

  watch(sink: ByteSink): ByteSink {
    return {
      write: (bytes) => {
        this.#environment.signal?.throwIfAborted();
        this.#written += bytes.length;
        this.#environment.onProgress?.(this.#written / this.#total, "writing");
        return sink.write(bytes);
      },
    };
  }
}
