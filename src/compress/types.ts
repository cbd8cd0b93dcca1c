/** @file What one compression takes and gives: the request, the report, the files. */
import type { Calibration } from "../calibrate/calibrate.ts";
import type { CalibrationInputs } from "../calibrate/inputs.ts";
import type {
  ActivationChange,
  Simplification,
  WeightChange,
  WeightKept,
} from "../graph/report.ts";
import type { ByteSink, ByteSource } from "../onnx/source.ts";
import type { FiniteCheck } from "../quantize/finite.ts";
import type { HostTensor, Runtime } from "../runtime/runtime.ts";

export interface ModelInput {
  source: ByteSource;
  /** Of the source, where the result is to say how it was made of it (`src/graph/lineage.ts`). */
  sha256?: string;
  /** Opens an external data file by its location as the model spells it (already checked to stay inside the model's folder). */
  external?: (location: string) => Promise<ByteSource | undefined>;
}

export interface CompressEnvironment {
  /** The compiled kernels.wasm. */
  kernels: WebAssembly.Module;
  /** Without one, results are not run, and the report says so. */
  runtime?: Runtime;
  /** Called with 0…1 as bytes are written, and with what is being done. */
  onProgress?: (fraction: number, doing: string) => void;
  signal?: AbortSignal;
  /** Most scratch memory for kernels (default 16 MiB). */
  arenaBytes?: number;
  /**
   * `while_writing` reads weights once where it can: then a file's `write` may throw a NonFiniteWeightError,
   * and the caller compresses and writes again with "before" (the default; always so for `auto`).
   */
  check?: FiniteCheck;
  /** What static quantization runs the model on (default: the samples for verification, else made-up inputs). */
  calibrationInputs?: CalibrationInputs;
  /** Ranges that were found elsewhere already, on a runner. */
  calibration?: Calibration;
}

export type CompressOperation = "quantize" | "prune" | "simplify";

/** Options of `/v1/quantize`, `/v1/prune` and `/v1/simplify`, validated by the routes' schemas, names as in the API. */
export interface CompressRequest {
  operation: CompressOperation;
  options: Record<string, unknown>;
}

export interface Bounds {
  min_sqnr_db?: number;
  min_cosine?: number;
}

/** How close one output of the result is to the original's. */
export interface OutputComparison {
  name: string;
  dataType: string;
  dims: number[];
  /** `null` where it has no meaning (integers compared exactly, no elements, all zeros). */
  cosine: number | null;
  sqnrDb: number | null;
  maxAbsError: number | null;
  /** Share of last-axis rows whose largest element has the same index; `null` for outputs that are not like that. */
  argmaxAgreement: number | null;
  /** Share of equal elements, for integer and boolean outputs. */
  equal: number | null;
}

export interface Verification {
  /** The result was loaded by ONNX Runtime. */
  loaded: boolean;
  /** The result was run beside the original. */
  ran: boolean;
  /** Why it was not loaded or run. */
  reason: string | null;
  runtime: string | null;
  /** `given` or `synthetic`, and how many. */
  inputs: string | null;
  outputs: OutputComparison[];
  /** The smallest over the outputs and samples. */
  minCosine: number | null;
  minSqnrDb: number | null;
}

/** One candidate of `auto`, or the only one. */
export interface Attempt {
  method: string;
  bytes: number | null;
  minSqnrDb: number | null;
  minCosine: number | null;
  outcome: "chosen" | "refused" | "failed";
  reason: string | null;
}

export interface CompressionReport {
  operation: CompressOperation;
  method: string;
  options: Record<string, unknown>;
  bytesBefore: number;
  bytesAfter: number;
  /** before / after */
  ratio: number;
  verification: Verification;
  tried: Attempt[];
  changed: WeightChange[];
  kept: WeightKept[];
  activations: ActivationChange[];
  notes: string[];
  /** Of `simplify` alone. */
  simplification?: Simplification;
}

export interface OutputFile {
  /** `null` for the model itself, else the external data's location. */
  location: string | null;
  byteLength: number;
  write(sink: ByteSink): Promise<void>;
}

export interface Compressed {
  /** Complete (per-weight SQNR filled in) once all files are written. */
  report: CompressionReport;
  /** Write in this order. */
  files: OutputFile[];
}

/** Sample inputs for verification, one record per run. */
export type Samples = Record<string, HostTensor>[];

export type RefusalCode =
  /** The result would not be smaller. */
  | "nothing_to_gain"
  /** The result is not within the asked bounds, or no method stays close. */
  | "not_close_enough"
  /** ONNX Runtime does not load or run the result (or the original). */
  | "does_not_load"
  /** An option names nodes, tensors or op types that the model does not have. */
  | "unknown_name"
  /** The method does not apply to this model. */
  | "not_applicable"
  /** The method has to run the model, which does not fit here. */
  | "no_executor";

/** A valid request on a valid model that has no good result; carries the report as far as it got. */
export class CompressRefusal extends Error {
  override readonly name = "CompressRefusal";
  readonly code: RefusalCode;
  readonly report: CompressionReport | undefined;

  constructor(code: RefusalCode, message: string, report?: CompressionReport) {
    super(message);
    this.code = code;
    this.report = report;
  }
}
