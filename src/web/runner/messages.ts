/** @file What the runner page and its Web Worker say to each other. */
import type { RunnerInfo } from "../../runner/protocol.ts";
import type { RunnerStatus } from "../../runner/runner.ts";

export type ToWorker =
  | { type: "start"; url: string; token: string; name: string }
  | { type: "stop"; how: "finish" | "hand_back" };

export type FromWorker =
  | { type: "device"; info: RunnerInfo }
  | { type: "status"; status: RunnerStatus }
  | { type: "ended"; reason: string };
