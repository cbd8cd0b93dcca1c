/**
 * @file Ranges of a model's values: the model runs in ONNX Runtime with its inner values as outputs, on inputs that are
 * like those it will see. Where they do not fit the memory all at once, it runs again for one part of them after another.
 */
import type { Model } from "../onnx/model.ts";
import { modelBytes } from "../onnx/write-model.ts";
import type { HostTensor, Runtime, Session } from "../runtime/runtime.ts";
import { elements } from "../verify/elements.ts";
import type { CalibrationInputs } from "./inputs.ts";
import { type Observed, withOutputs } from "./observed.ts";
import { needsHistogram, type ObservedRange, RangeCollector } from "./range-collector.ts";
import type { CalibrationSettings } from "./settings.ts";

export interface Calibration {
  /** What was fed, for reports. */
  inputs: string;
  isMadeUp: boolean;
  ranges: Map<string, ObservedRange>;
  /** Why a value has no range. */
  unusable: Map<string, string>;
}

export interface CalibrationHooks {
  signal?: AbortSignal | undefined;
  onProgress?: ((fraction: number) => void) | undefined;
}

/** The model could not be run: no input fits, or its values fit no memory here. */
export class CalibrationError extends Error {
  override readonly name = "CalibrationError";
  /** Another device may have the memory. */
  readonly isTooLarge: boolean;

  constructor(message: string, isTooLarge = false) {
    super(message);
    this.isTooLarge = isTooLarge;
  }
}

/** Values are split in halves so often; what still does not fit then is too large for this device. */
const MAX_SPLITS = 5;

/** @throws CalibrationError when the model does not load or run here */
export async function calibrate(
  model: Model,
  observed: Observed,
  settings: CalibrationSettings,
  inputs: CalibrationInputs,
  runtime: Runtime,
  hooks: CalibrationHooks = {},
): Promise<Calibration> {
  const run = new CalibrationRun(model, settings, inputs, runtime, hooks);
  await run.observe(observed.values, observed.inputs, MAX_SPLITS);
  const { label, isMadeUp } = inputs;
  const calibration: Calibration = {
    inputs: label,
    isMadeUp,
    ranges: new Map(),
    unusable: new Map(),
  };
  for (const [name, collector] of run.collectors) {
    const range = collector.range();
    if (range) calibration.ranges.set(name, range);
    else calibration.unusable.set(name, "it was NaN or Inf on the calibration inputs");
  }
  return calibration;
}

class CalibrationRun {
  readonly collectors = new Map<string, RangeCollector>();
  readonly #model: Model;
  readonly #settings: CalibrationSettings;
  readonly #inputs: CalibrationInputs;
  readonly #runtime: Runtime;
  readonly #hooks: CalibrationHooks;
  /** The way of feeding that ran. */
  #choice: number | undefined;

  constructor(
    model: Model,
    settings: CalibrationSettings,
    inputs: CalibrationInputs,
    runtime: Runtime,
    hooks: CalibrationHooks,
  ) {
    this.#model = model;
    this.#settings = settings;
    this.#inputs = inputs;
    this.#runtime = runtime;
    this.#hooks = hooks;
  }

  /** @param fed inputs of the graph, which are observed with the first part */
  async observe(values: readonly string[], fed: readonly string[], splits: number): Promise<void> {
    try {
      return await this.#observeAtOnce(values, fed);
    } catch (error) {
      if (!doesNotFit(error)) throw error;
      if (splits === 0 || values.length < 2) {
        throw new CalibrationError(`its values need too much memory: ${error.message}`, true);
      }
    }
    const half = Math.ceil(values.length / 2);
    await this.observe(values.slice(0, half), fed, splits - 1);
    await this.observe(values.slice(half), [], splits - 1);
  }

  async #observeAtOnce(values: readonly string[], fed: readonly string[]): Promise<void> {
    const names = [...fed, ...values];
    const collectors = names.map((name) => [name, new RangeCollector(this.#settings)] as const);
    const session = await this.#load(values);
    try {
      const passes = needsHistogram(this.#settings) ? 2 : 1;
      for (let pass = 0; pass < passes; pass++) {
        let run = 0;
        for await (const found of this.#runs(session)) {
          for (const [name, collector] of collectors) {
            const numbers = numbersOf(found, name);
            if (pass === 0) collector.observe(numbers);
            else collector.count(numbers);
          }
          this.#hooks.onProgress?.((pass + ++run / this.#inputs.runs) / passes);
        }
      }
    } finally {
      await session.release();
    }
    for (const [name, collector] of collectors) this.collectors.set(name, collector);
  }

  async #load(values: readonly string[]): Promise<Session> {
    const bytes = await modelBytes(withOutputs(this.#model, values));
    try {
      return await this.#runtime.load(bytes);
    } catch (error) {
      if (doesNotFit(error)) throw error;
      throw new CalibrationError(`the model does not load: ${messageOf(error)}`);
    }
  }

  /** What each run was fed and gave. */
  async *#runs(session: Session): AsyncGenerator<Record<string, HostTensor>> {
    for await (const feeds of this.#inputs.each(
      this.#choice ?? (await this.#firstThatRuns(session)),
    )) {
      this.#hooks.signal?.throwIfAborted();
      try {
        yield { ...feeds, ...(await session.run(feeds)) };
      } catch (error) {
        if (doesNotFit(error)) throw error;
        throw new CalibrationError(`the model does not run on an input: ${messageOf(error)}`);
      }
    }
  }

  async #firstThatRuns(session: Session): Promise<number> {
    const { choices, isMadeUp } = this.#inputs;
    let first: unknown;
    for (let choice = 0; choice < choices; choice++) {
      try {
        for await (const feeds of this.#inputs.each(choice)) {
          await session.run(feeds);
          break;
        }
        this.#choice = choice;
        return choice;
      } catch (error) {
        if (doesNotFit(error)) throw error;
        first ??= error;
      }
    }
    throw new CalibrationError(
      isMadeUp
        ? `no made-up input ran (${choices} tried; give samples): ${messageOf(first)}`
        : `the model does not run on the samples: ${messageOf(first)}`,
    );
  }
}

/** Empty for a value that is no tensor of float32 after all. */
function numbersOf(found: Record<string, HostTensor>, name: string): Float32Array {
  const tensor = found[name];
  const numbers = tensor && elements(tensor);
  return numbers instanceof Float32Array ? numbers : new Float32Array(0);
}

function doesNotFit(error: unknown): error is Error {
  return error instanceof Error && error.name === "DoesNotFitError";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
