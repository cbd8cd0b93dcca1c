/** @file A runner as the API shows it. */
import type { RunnerInfo } from "../../runner/protocol.ts";
import type { LiveRunner } from "./live-runners.ts";
import type { RunnerRow } from "./pool-record.ts";

export interface RunnerView {
  id: string;
  object: "runner";
  state: "idle" | "working" | "draining" | "starting" | "gone";
  info: RunnerInfo;
  task_id: string | null;
  tasks_done: number;
  tasks_failed: number;
  /** Results that were refused. */
  strikes: number;
  busy_s: number;
  /** Unix seconds. */
  connected_at: number;
  last_seen_at: number;
}

export function runnerView(
  row: RunnerRow,
  live: LiveRunner | undefined,
  seenAt: number,
): RunnerView {
  return {
    id: row.id,
    object: "runner",
    state: stateOf(live),
    info: row.info,
    task_id: live?.task ?? null,
    tasks_done: row.tasksDone,
    tasks_failed: row.tasksFailed,
    strikes: row.strikes,
    busy_s: row.busyMs / 1000,
    connected_at: Math.floor(row.connectedAt / 1000),
    last_seen_at: Math.floor(seenAt / 1000),
  };
}

function stateOf(live: LiveRunner | undefined): RunnerView["state"] {
  if (!live) return "gone";
  if (live.row.draining) return "draining";
  if (live.task !== undefined) return "working";
  return live.row.ready ? "idle" : "starting";
}
