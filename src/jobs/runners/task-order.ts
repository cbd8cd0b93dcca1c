/** @file A task as those who need it done order it, and what becomes of it. */
import type { TaskKind, TaskNeeds } from "../../runner/protocol.ts";

/** An object in R2 that the task reads. */
export interface SourceOrder {
  key: string;
  bytes: number;
  /** What a runner that reads the whole checks it by. Of an object that is read by ranges alone: of its key. */
  sha256: string;
}

/** An object in R2 that the task writes. */
export interface TargetOrder {
  key: string;
  maxBytes: number;
}

export interface TaskOrder {
  /** The same id is the same task: ordered twice, it is done once. */
  id: string;
  kind: TaskKind;
  /** What the kind's program reads; see `src/runner/tasks`. */
  spec: Record<string, unknown>;
  needs: TaskNeeds;
  /** Higher goes first (default 0). */
  priority?: number;
  /** Whoever ordered it gets on without a runner meanwhile: nobody is asked to give way to it. */
  patient?: boolean;
  /** Whose it is: groups take turns, so that one with many tasks does not hold up the others. */
  group: string;
  sources: Record<string, SourceOrder>;
  targets: Record<string, TargetOrder>;
  /** The rank to which the runner opens a line of its own (`gradient`): the address comes as `link` in the spec. */
  rank?: string;
  /** A lease ends after so long even if its runner is alive (default 10 minutes). */
  timeoutMs?: number;
}

export type TaskOutcome =
  | { state: "done"; result: Record<string, unknown>; runner: string; tries: number }
  | { state: "failed"; message: string; tries: number }
  | { state: "canceled" };

export interface TaskProgress {
  state: "queued" | "leased" | "done" | "failed" | "canceled";
  fraction: number;
  doing: string;
  runner: string | null;
  lease: number;
  tries: number;
}
