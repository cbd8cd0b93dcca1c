/** @file What a model is fed while its values are observed. */
import type { Samples } from "../compress/types.ts";
import type { Model } from "../onnx/model.ts";
import type { HostTensor } from "../runtime/runtime.ts";
import { SyntheticInputs } from "../verify/synthetic.ts";

type Feeds = Record<string, HostTensor>;

export interface CalibrationInputs {
  /** `given, 12`, `100 rows of dataset_2f9k4w`, `made up, 2`, for reports. */
  label: string;
  isMadeUp: boolean;
  runs: number;
  /** In how many ways the model might be fed; the first that runs is taken. */
  choices: number;
  /** The feeds of each run, the same each time that it is asked for. */
  each(choice: number): AsyncIterable<Feeds>;
}

/** Made-up inputs are few: more of the same kind tell nothing more. */
const MADE_UP_RUNS = 2;

/** Inputs that a user gave, one record per run. */
export function givenInputs(samples: Samples): CalibrationInputs {
  return {
    label: `given, ${samples.length}`,
    isMadeUp: false,
    runs: samples.length,
    choices: 1,
    async *each() {
      yield* samples;
    },
  };
}

/**
 * The inputs that results are verified with where none are given.
 * @throws RangeError for an input that is no tensor, or of a type that has no synthetic values
 */
export async function madeUpInputs(model: Model): Promise<CalibrationInputs> {
  const synthetic = await SyntheticInputs.of(model);
  const runs = synthetic.costly ? 1 : MADE_UP_RUNS;
  return {
    label: `made up, ${runs}`,
    isMadeUp: true,
    runs,
    choices: synthetic.choices.length,
    async *each(choice) {
      const sizes = synthetic.choices[choice];
      if (!sizes) throw new RangeError(`calibrate: there is no choice ${choice} of sizes`);
      for (let run = 0; run < runs; run++) yield synthetic.feeds(sizes, run);
    },
  };
}
