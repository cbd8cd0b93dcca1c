/** @file Each method by its API name: the pass, and the opset that it needs. */
import { opsetVersion } from "../graph/build.ts";
import { joinReports, type PassReport } from "../graph/report.ts";
import { type Arena, ArenaFullError } from "../kernels/arena.ts";
import { OnnxError } from "../onnx/errors.ts";
import type { Model } from "../onnx/model.ts";
import { LAST_CLASSIFIED_OPSET } from "../opset/adapters/table.ts";
import { liftOpset } from "../opset/lift.ts";
import { pruneModel } from "../prune/prune.ts";
import { quantizeDynamic } from "../quantize/dynamic.ts";
import { convertFloat16 } from "../quantize/float16.ts";
import type { FiniteCheck } from "../quantize/finite.ts";
import { staticOpset } from "../quantize/static.ts";
import { quantizeWeightOnly } from "../quantize/weight-only.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { simplifyModel } from "../simplify/simplify.ts";
import { type Calibrate, runStatic } from "./static-step.ts";
import { CompressRefusal } from "./types.ts";

export type Options = Record<string, unknown>;

/** What passes work with. */
export interface PassTools {
  arena: Arena;
  /** When weights with NaN or Inf are found out (default "before"). */
  check?: FiniteCheck | undefined;
  /** Ranges of a model's activations; static quantization alone asks for them. */
  calibrate?: Calibrate | undefined;
  /** Computes constants; simplification alone asks for it. */
  runtime?: Runtime | undefined;
}
type Pass = (model: Model, options: Options, tools: PassTools) => Promise<PassReport>;

interface Method {
  /** The opset that the pass needs. */
  opset(options: Options): number;
  run: Pass;
}

const METHODS: Readonly<Record<string, Method>> = {
  dynamic: {
    opset: () => 11,
    run: (model, options, { arena, check }) => quantizeDynamic(model, options, arena, check),
  },
  static: { opset: staticOpset, run: runStatic },
  weight_only: {
    opset: weightOnlyOpset,
    run: (model, options, { arena, check }) => quantizeWeightOnly(model, options, arena, check),
  },
  float16: {
    opset: () => 7,
    run: (model, options, { arena }) =>
      convertFloat16(model, { ...options, dtype: "float16" }, arena),
  },
  bfloat16: {
    opset: () => 13,
    run: (model, options, { arena }) =>
      convertFloat16(model, { ...options, dtype: "bfloat16" }, arena),
  },
  prune: { opset: () => 0, run: (model, options, { arena }) => pruneModel(model, options, arena) },
  simplify: {
    opset: () => 0,
    run: (model, options, { runtime }) => simplifyModel(model, options, runtime),
  },
};

/** DequantizeLinear has an axis from 13, blocks from 21, 2-bit types from 25 on. */
function weightOnlyOpset(options: Options): number {
  if (options["quant_format"] !== "QDQ") return 13;
  return options["bits"] === 2 ? 25 : 21;
}

/** One method with its options: a step of a compression. */
export interface Step {
  method: string;
  options: Options;
}

/** `weight_only bits=4 block_size=32`, for reports. */
export function describeSteps(steps: readonly Step[]): string {
  return steps
    .map(({ method, options }) =>
      [method, ...Object.entries(options).map(([name, value]) => `${name}=${spell(value)}`)].join(
        " ",
      ),
    )
    .join(", then ");
}

const spell = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");

/**
 * Runs the steps one after the other on `model`, which they change; lifts its opset first where a step needs it.
 * @throws CompressRefusal `not_applicable` when the opset cannot be lifted, or a weight's shape needs too much scratch
 * @throws RangeError for options outside their range
 */
export async function runSteps(
  model: Model,
  steps: readonly Step[],
  tools: PassTools,
): Promise<PassReport> {
  const reports: PassReport[] = [];
  for (const { method, options } of steps) {
    const entry = METHODS[method];
    if (!entry) throw new RangeError(`compress: there is no method "${method}"`);
    const notes = await lift(model, entry.opset(options), method);
    const report = await entry.run(model, options, tools).catch((error: unknown) => {
      if (!(error instanceof ArenaFullError)) throw error;
      throw new CompressRefusal("not_applicable", `${method}: ${error.message}`);
    });
    reports.push({ ...report, notes: [...notes, ...report.notes] });
  }
  return joinReports(...reports);
}

async function lift(model: Model, needed: number, method: string): Promise<string[]> {
  const opset = opsetVersion(model);
  if (opset === undefined || opset >= needed) return [];
  const cannot = (why: string) =>
    new CompressRefusal(
      "not_applicable",
      `${method} needs opset ${needed}, the model imports ${opset}, and it cannot be lifted: ${why}`,
    );
  if (needed > LAST_CLASSIFIED_OPSET) {
    throw cannot(`models are lifted up to opset ${LAST_CLASSIFIED_OPSET}; export it anew`);
  }
  try {
    return await liftOpset(model, needed);
  } catch (error) {
    throw error instanceof OnnxError ? cannot(error.message) : error;
  }
}
