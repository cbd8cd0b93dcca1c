/** @file Which operators answer the same for the same inputs. */
import type { Node } from "../onnx/model.ts";

const RANDOM = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
]);

/** Dropout that may train counts as random: no two draws are one. */
export function isDeterministic(node: Node): boolean {
  if (node.opType === "Dropout") return !node.inputs[2];
  return !RANDOM.has(node.opType);
}
