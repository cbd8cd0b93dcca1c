/** @file Which of a model's weights are trained. */
import { defaultParameters } from "../autodiff/parameters.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model } from "../onnx/model.ts";
import type { TrainingSettings } from "./options.ts";
import { selectNames } from "./patterns.ts";

/**
 * The names of the trained initializers: those that `trainable` matches among all float32 ones, by default
 * the weights that training usually moves, and with adapters none; without those that `frozen` matches.
 *
 * @param base normalised
 * @throws RangeError when a pattern matches nothing, or nothing is left to train
 */
export async function selectTrainable(
  base: Model,
  { trainable, frozen, lora }: Pick<TrainingSettings, "trainable" | "frozen" | "lora">,
): Promise<string[]> {
  const floats = [...base.graph.initializers.values()]
    .filter(({ dataType }) => dataType === DataType.float32)
    .map(({ name }) => name);
  if (floats.length === 0) {
    const half = [...base.graph.initializers.values()].some(
      ({ dataType }) => dataType === DataType.float16 || dataType === DataType.bfloat16,
    );
    throw new RangeError(
      half
        ? "train: the model's weights are 16-bit floats: train the float32 model that it was made from"
        : "train: the model has no float32 weights",
    );
  }
  const usual = lora ? [] : await defaultParameters(base);
  const chosen = trainable ? selectNames("float32 weight", trainable, floats) : usual;
  const kept = new Set(frozen.length > 0 ? selectNames("float32 weight", frozen, floats) : []);
  const names = chosen.filter((name) => !kept.has(name));
  if (names.length === 0 && !lora) {
    throw new RangeError("train: no weight is left to train");
  }
  return names;
}
