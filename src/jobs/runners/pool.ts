/** @file The pool of a workspace from the outside. */
import type { Page, Position } from "../../store/page.ts";
import type { LogLine } from "./pool-record.ts";
import type { RunnerView } from "./runner-view.ts";
import type { TaskOrder, TaskOutcome, TaskProgress } from "./task-order.ts";

/** What a pool's object answers to (RPC's own types lose what is `unknown`). */
export interface RunnerPoolObject {
  fetch(request: Request): Promise<Response>;
  submit(order: TaskOrder): Promise<void>;
  wait(id: string, timeoutMs: number): Promise<TaskOutcome | undefined>;
  progress(id: string): Promise<TaskProgress | undefined>;
  cancel(id: string): Promise<void>;
  canServe(order: Pick<TaskOrder, "kind" | "needs">): Promise<boolean>;
  /** How many runners could do such tasks of the group, and how many of them at once. */
  spare(
    order: Pick<TaskOrder, "kind" | "needs" | "group">,
  ): Promise<{ fitting: number; free: number }>;
  /** A lease's time begins anew. */
  renew(id: string, lease: number): Promise<void>;
  /** The task goes to another; `isStrike` where its runner broke the rules. */
  takeBack(id: string, lease: number, reason: string, isStrike: boolean): Promise<void>;
  list(after: Position | undefined, limit: number): Promise<Page<RunnerView>>;
  log(
    runner: string | undefined,
    before: number | undefined,
    limit: number,
  ): Promise<Page<LogLine>>;
  drain(runner: string): Promise<boolean>;
  revoke(tokenId: string): Promise<void>;
  knows(tokenId: string): Promise<boolean>;
}

export function runnerPool(env: Env, workspace: string): RunnerPoolObject {
  return env.RUNNERS.get(env.RUNNERS.idFromName(workspace)) as unknown as RunnerPoolObject;
}
