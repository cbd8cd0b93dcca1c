/**
 * @file What a Worker's isolate holds, by its inspector: heap, backing stores, WebAssembly memories. CPU of its process.
 *
 * V8's own figures leave shared WebAssembly memories out, so all memories are looked up as objects and added: the sum
 * is an upper bound, since V8 counts those that are not shared.
 */
import { readFileSync } from "node:fs";

const MIB = 2 ** 20;
const SAMPLE_MS = 100;
/** Looking memories up collects garbage first, so it is done seldom. */
const SAMPLES_PER_LOOK = 10;

/** MiB at the moment when their sum was largest. */
export interface IsolateMemory {
  total: number;
  heap: number;
  buffers: number;
  wasm: number;
}

export class Isolate {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #id = 0;
  /** Of the Worker's global scope; workerd has no default one. */
  #context = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer & ContextCreated & { id?: number };
      if (answer.method === "Runtime.executionContextCreated")
        this.#context = answer.params?.context?.id ?? 0;
      if (answer.id === undefined) return;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  /** The isolate of the Worker of that name, at a workerd whose inspector listens on `port`. */
  static async connect(port: number, worker: string): Promise<Isolate> {
    const response = await fetch(`http://127.0.0.1:${port}/json`);
    const targets = (await response.json()) as { id: string; webSocketDebuggerUrl: string }[];
    const target = targets.find(({ id }) => id.endsWith(worker));
    if (!target) throw new Error(`bench: no isolate "${worker}" in ${JSON.stringify(targets)}`);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${target.id}`);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", reject, { once: true });
    });
    const isolate = new Isolate(socket);
    await isolate.send("Runtime.enable");
    return isolate;
  }

  async send<T>(method: string, params: Record<string, unknown> = {}): Promise<T> {
    const id = ++this.#id;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  close(): void {
    this.#socket.close();
  }

  /** Bytes of all WebAssembly memories, after a collection. */
  async wasmBytes(): Promise<number> {
    const group = { objectGroup: "bench" };
    const { result } = await this.send<Evaluated>("Runtime.evaluate", {
      expression: "WebAssembly.Memory.prototype",
      contextId: this.#context,
      ...group,
    });
    const { objects } = await this.send<{ objects: { objectId: string } }>("Runtime.queryObjects", {
      prototypeObjectId: result.objectId,
      ...group,
    });
    const sum = await this.send<Evaluated>("Runtime.callFunctionOn", {
      objectId: objects.objectId,
      functionDeclaration:
        "function () { return this.reduce((sum, memory) => sum + memory.buffer.byteLength, 0); }",
      returnByValue: true,
    });
    await this.send("Runtime.releaseObjectGroup", group);
    return Number(sum.result.value);
  }

  /** The most that the isolate holds while `work` goes on. */
  async peakDuring<T>(work: () => Promise<T>): Promise<{ value: T; peak: IsolateMemory }> {
    const peak: IsolateMemory = { total: 0, heap: 0, buffers: 0, wasm: 0 };
    const state = { over: false };
    const running = work().finally(() => (state.over = true));
    let wasm = 0;
    for (let sample = 0; !state.over; sample++) {
      if (sample % SAMPLES_PER_LOOK === 0) wasm = await this.wasmBytes();
      const usage = await this.send<{ usedSize: number; backingStorageSize?: number }>(
        "Runtime.getHeapUsage",
      );
      const heap = usage.usedSize / MIB;
      const buffers = (usage.backingStorageSize ?? 0) / MIB;
      const total = heap + buffers + wasm / MIB;
      if (total > peak.total) Object.assign(peak, { total, heap, buffers, wasm: wasm / MIB });
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
    return { value: await running, peak };
  }
}

interface Answer {
  result?: unknown;
  error?: { message: string };
}

interface ContextCreated {
  method?: string;
  params?: { context?: { id?: number } };
}

interface Evaluated {
  result: { objectId?: string; value?: unknown };
}

/** Clock ticks of /proc. */
const TICKS_PER_SECOND = 100;

/** CPU seconds that a process has spent (Linux). */
export const processCpu = (pid: number): number => cpuOf(`/proc/${pid}/stat`);

/** CPU seconds of a process or thread, by its `stat` file. */
export function cpuOf(stat: string): number {
  const text = readFileSync(stat, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
