/** @file Why a rank stopped: what another generation may do better, and what would come again. */
import { DatasetError } from "../../data/dataset.ts";
import { PeerError } from "../../collectives/transport.ts";
import { NonFiniteLossError } from "../../train/modes/trainer.ts";
import type { RankFailure } from "./rank-protocol.ts";

/** @param step in which it happened, counted from 0 */
export function failureOf(error: unknown, step: number): RankFailure {
  const message = error instanceof Error ? error.message : String(error);
  const broken: RankFailure = { kind: "broken", message: `${message}, in step ${step}` };
  if (error instanceof PeerError) return broken;
  if (error instanceof NonFiniteLossError) return { kind: "non_finite", message };
  // A checkpoint holds no such value.
  if (/^train: element .* is (NaN|-?Infinity) after step/.test(message)) {
    return { kind: "non_finite", message };
  }
  if (error instanceof DatasetError) return { kind: "fatal", message };
  const fatal = /^(the model does not fit|ONNX Runtime could not|runtime: |train: )/.test(message);
  return fatal ? { kind: "fatal", message: `${message}, in step ${step}` } : broken;
}
