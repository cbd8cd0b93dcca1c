/** @file The losses of regression: mean squared error, mean absolute error, Huber's. */
import type { Emitter } from "../../autodiff/rule.ts";
import type { LossSettings } from "./loss-options.ts";
import { labelLike, type LossContext, type LossValue, meanAll, sizeOf } from "./loss-value.ts";

/** @throws RangeError when output and label have not as many elements a row: nothing is broadcast */
export function regression(
  { emitter }: LossContext,
  output: string,
  label: string,
  { type, delta }: Pick<LossSettings, "type" | "delta">,
): LossValue {
  const difference = emitter.emit("Sub", [output, labelLike(emitter, output, label)]);
  const loss = meanAll(emitter, elementLoss(emitter, difference, type, delta));
  return { loss, count: sizeOf(emitter, output) };
}

function elementLoss(
  emitter: Emitter,
  difference: string,
  type: LossSettings["type"],
  delta: number,
): string {
  if (type === "mse") return emitter.emit("Mul", [difference, difference]);
  const magnitude = emitter.emit("Abs", [difference]);
  if (type === "l1") return magnitude;
  // m = min(|d|, δ): m·(|d| − m/2) is d²/2 up to δ and δ·(|d| − δ/2) from there on.
  const inner = emitter.emit("Min", [magnitude, emitter.float(delta)]);
  const half = emitter.emit("Mul", [inner, emitter.float(0.5)]);
  return emitter.emit("Mul", [inner, emitter.emit("Sub", [magnitude, half])]);
}
