/**
 * @file What a runner does, in a page and in Node alike: connects, works on one task at a time, comes back when the
 * line breaks, ends when it is told to.
 */
import { readBlob, writeBlob } from "./blobs.ts";
import { type OpenLine, openLine } from "./line.ts";
import {
  CLOSE,
  FromPool,
  type FromRunner,
  parseMessage,
  PING,
  PING_MS,
  PONG,
  PROTOCOL_VERSIONS,
  type RunnerInfo,
  type Task,
} from "./protocol.ts";
import { type Perform, TaskFault, type TaskKit } from "./task-kit.ts";

export interface RunnerStatus {
  state: "connecting" | "idle" | "working" | "finishing" | "ended";
  runner: string | null;
  task: { id: string; kind: Task["kind"]; fraction: number; doing: string } | null;
  tasksDone: number;
  tasksFailed: number;
  /** Why it is not connected, or ended. */
  reason: string | null;
}

export interface RunnerOptions {
  /** `https://host`. */
  url: string;
  /** A runner token. */
  token: string;
  info: RunnerInfo;
  perform: Perform;
  /** Default: by the platform's WebSocket. */
  openLine?: OpenLine;
  /** Compiles the kernels; asked for when a task needs them. */
  kernels: TaskKit["kernels"];
  onStatus?: (status: RunnerStatus) => void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A line on which no pong came for so long is dead. */
const SILENCE_MS = 2.5 * PING_MS;
/** Coming back as it is would end the same way. */
const FATAL = new Set<number>([
  CLOSE.refused,
  CLOSE.unauthorized,
  CLOSE.protocolError,
  CLOSE.replaced,
]);

interface Work {
  task: Task;
  abort: AbortController;
  /** What is still to be said of it, once there is a line. */
  outcome: Extract<FromRunner, { type: "done" | "failed" }> | undefined;
}

export class Runner {
  readonly #options: RunnerOptions;
  readonly #session = crypto.randomUUID();
  readonly #ended = Promise.withResolvers<string>();
  #socket: WebSocket | undefined;
  #work: Work | undefined;
  /** Of the work before, which may still be ending: a device does one thing at a time. */
  #before: Promise<unknown> = Promise.resolve();
  #breaks = 0;
  #leaving = false;
  #status: RunnerStatus = {
    state: "connecting",
    runner: null,
    task: null,
    tasksDone: 0,
    tasksFailed: 0,
    reason: null,
  };

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  get status(): RunnerStatus {
    return this.#status;
  }

  /** Connects and works until it is stopped or sent away. @returns why it ended */
  async run(): Promise<string> {
    this.#connect();
    return await this.#ended.promise;
  }

  /** Takes no more; finishes what it does, or hands it back, and ends. */
  stop(how: "finish" | "hand_back" = "finish"): void {
    this.#leaving = true;
    this.#say({ type: "leaving" });
    if (this.#work && how === "hand_back") {
      this.#say({ type: "hand_back", ...holder(this.#work) });
      this.#drop("stopped here");
    }
    if (this.#work) this.#show({ state: "finishing" });
    else this.#end("stopped");
  }

  #connect(): void {
    const { url, token } = this.#options;
    const address = new URL("/v1/runners/connect", url);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.#show({ state: "connecting" });
    // The token goes as a subprotocol: pages cannot set headers, and addresses end up in logs.
    const socket = new WebSocket(address.href, ["hone.runner", `token.${token}`]);
    let heardAt = Date.now();
    const pings = setInterval(() => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (Date.now() - heardAt > SILENCE_MS) return socket.close(4000, "no pong");
      socket.send(PING);
    }, PING_MS);
    socket.addEventListener("open", () => {
      this.#socket = socket;
      this.#say({
        type: "hello",
        version: PROTOCOL_VERSIONS[0] ?? 1,
        session: this.#session,
        info: this.#options.info,
        working: this.#work ? holder(this.#work) : null,
      });
    });
    socket.addEventListener("message", ({ data }) => {
      heardAt = Date.now();
      if (data === PONG) return;
      try {
        this.#hear(parseMessage(FromPool, String(data)));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        socket.close(4000, error.message.slice(0, 100));
      }
    });
    socket.addEventListener("close", ({ code, reason }) => {
      clearInterval(pings);
      if (this.#socket === socket) this.#socket = undefined;
      if (this.#status.state === "ended") return;
      if (FATAL.has(code)) this.#end(reason || `the service closed the line (${code})`);
      else if (this.#leaving && !this.#work) this.#end("stopped");
      else void this.#comeBack(reason || `the line broke (${code})`);
    });
  }

  /** Why the service lets nobody in with this token; a WebSocket that is refused does not say. */
  async #refusal(): Promise<string | undefined> {
    const { url, token } = this.#options;
    const headers = { Authorization: `Bearer ${token}` };
    try {
      const response = await fetch(new URL("/v1/runners/connect", url), { headers });
      if (response.status !== 401) return undefined;
      const { detail } = (await response.json()) as { detail?: string };
      return detail ?? "the token is not accepted";
    } catch {
      return undefined;
    }
  }

  async #comeBack(reason: string): Promise<void> {
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#breaks++);
    this.#show({ state: "connecting", reason });
    const refusal = await this.#refusal();
    if (refusal) return this.#end(refusal);
    setTimeout(
      () => {
        if (this.#status.state !== "ended") this.#connect();
      },
      longest * (0.5 + Math.random() / 2),
    );
  }

  #hear(said: FromPool): void {
    switch (said.type) {
      case "welcome":
        this.#breaks = 0;
        this.#show({ runner: said.runner, state: this.#work ? "working" : "idle", reason: null });
        return this.#tell();
      case "task":
        return void this.#begin(said.task);
      case "stop":
        if (this.#work?.task.id === said.task && this.#work.task.lease === said.lease) {
          this.#drop(said.reason);
          this.#next();
        } else if (!this.#work) this.#next();
        return;
      default:
        return this.stop("finish");
    }
  }

  async #begin(task: Task): Promise<void> {
    const work: Work = { task, abort: new AbortController(), outcome: undefined };
    this.#work = work;
    const { id, kind } = task;
    this.#show({ state: "working", task: { id, kind, fraction: 0, doing: "beginning" } });
    try {
      await this.#before;
      if (this.#work !== work) return;
      const performed = this.#options.perform(task, this.#kit(work));
      this.#before = performed.catch(() => undefined);
      const result = await performed;
      work.outcome = { type: "done", ...holder(work), result };
    } catch (error) {
      if (this.#work !== work) return;
      const message = (error instanceof Error ? error.message : String(error)).slice(0, 2000);
      const final = error instanceof TaskFault;
      work.outcome = { type: "failed", ...holder(work), message, final };
    }
    if (this.#work === work) this.#tell();
  }

  #kit(work: Work): TaskKit {
    const { signal } = work.abort;
    return {
      signal,
      onProgress: (fraction, doing) => {
        if (this.#work !== work) return;
        const { id, kind } = work.task;
        this.#show({ task: { id, kind, fraction, doing } });
        this.#say({ type: "progress", ...holder(work), fraction, doing });
      },
      read: async (source, range) => await readBlob(source, range, signal),
      write: async (target, bytes) => await writeBlob(target, bytes, signal),
      openLine: this.#options.openLine ?? openLine,
      kernels: this.#options.kernels,
    };
  }

  /** Says what came of the work, if it is done and there is a line. */
  #tell(): void {
    const work = this.#work;
    if (!work) return this.#next();
    if (!work.outcome || !this.#say(work.outcome)) return;
    this.#work = undefined;
    const { tasksDone, tasksFailed } = this.#status;
    const done = work.outcome.type === "done";
    this.#show({
      task: null,
      ...(done ? { tasksDone: tasksDone + 1 } : { tasksFailed: tasksFailed + 1 }),
    });
    this.#next();
  }

  #next(): void {
    if (this.#leaving) return this.#end("stopped");
    this.#show({ state: "idle", task: null });
    this.#say({ type: "ready" });
  }

  #drop(reason: string): void {
    this.#work?.abort.abort(new Error(reason));
    this.#work = undefined;
    this.#show({ task: null });
  }

  #say(message: FromRunner): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #end(reason: string): void {
    this.#drop(reason);
    this.#show({ state: "ended", reason });
    this.#socket?.close(1000, "");
    this.#ended.resolve(reason);
  }

  #show(change: Partial<RunnerStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onStatus?.(this.#status);
  }
}

function holder({ task: { id, lease } }: Work) {
  return { task: id, lease };
}
