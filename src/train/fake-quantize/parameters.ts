/**
 * @file Scale and zero point of the rounding, as numbers; the graph computes the same in the same order
 * of float32 operations, so that the result model rounds as the training did.
 */
import type { QatSettings } from "../options.ts";

/** The least scale, torch's: the float32 epsilon. */
export const LEAST_SCALE = 2 ** -23;
/** Codes of a weight: ±127. */
export const WEIGHT_CODES = 127;

export interface ActivationParameters {
  scale: number;
  zeroPoint: number;
}

/** The lowest and the highest code of an activation. */
export function activationCodes(type: QatSettings["activations"]): readonly [number, number] {
  return type === "int8" ? [-128, 127] : [0, 255];
}

/** Of values between `min` and `max`, float32 numbers; zero is always in range and exact. */
export function activationParameters(
  min: number,
  max: number,
  type: QatSettings["activations"],
): ActivationParameters {
  const [lowest, highest] = activationCodes(type);
  const low = Math.min(min, 0);
  const high = Math.max(max, 0);
  const width = Math.fround(high - low);
  const scale = Math.max(Math.fround(width / (highest - lowest)), LEAST_SCALE);
  const shift = roundHalfEven(Math.fround(low / scale));
  return { scale, zeroPoint: Math.min(highest, Math.max(lowest, lowest - shift)) };
}

/** The scale of a weight channel whose largest magnitude is `largest`. */
export function weightScale(largest: number): number {
  return Math.max(Math.fround(largest / WEIGHT_CODES), LEAST_SCALE);
}

/** The code of a weight. */
export function weightCode(value: number, scale: number): number {
  const code = roundHalfEven(Math.fround(value / scale));
  return Math.min(127, Math.max(-128, code));
}

/** To the nearest integer, ties to even, for |x| below 2^51: beyond 2^52 float64 has no fraction bits. */
function roundHalfEven(x: number): number {
  const shift = 1.5 * 2 ** 52;
  return x + shift - shift;
}
