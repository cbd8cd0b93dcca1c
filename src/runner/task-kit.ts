/** @file What a task's program works with, and how it fails. */
import type { OpenLine } from "./line.ts";
import type { BlobSource, BlobTarget, Task } from "./protocol.ts";

/** What a task's program works with. */
export interface TaskKit {
  signal: AbortSignal;
  onProgress(fraction: number, doing: string): void;
  /** The bytes of a source, or of a range of it; whole sources are checked against their SHA-256. */
  read(
    source: BlobSource,
    range?: { start: number; end: number },
  ): Promise<Uint8Array<ArrayBuffer>>;
  write(target: BlobTarget, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** A WebSocket of the task's own. */
  openLine: OpenLine;
  /** The compiled kernels, for what is computed beside the sessions. */
  kernels(): Promise<WebAssembly.Module>;
}

/** @throws TaskFault for what any runner would fail at; anything else is taken for this runner's fault */
export type Perform = (task: Task, kit: TaskKit) => Promise<Record<string, unknown>>;

/** The task is at fault: it fails on every runner. */
export class TaskFault extends Error {
  override readonly name = "TaskFault";
}
