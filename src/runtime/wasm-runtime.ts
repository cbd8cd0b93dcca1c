/**
 * @file A `Runtime` over onnxruntime-web's WebAssembly: one session at a time, bounded memory, fresh after a failure.
 */
import { externalize } from "./externalize.ts";
import { OrtInstance } from "./ort-instance.ts";
import { OrtSession, WEIGHTS_FILE } from "./ort-session.ts";
import type { HostTensor, Runtime, Session } from "./runtime.ts";

export interface WasmRuntimeOptions {
  name: string;
  /** The compiled `ort-wasm-simd-threaded.wasm`; asked for at the first load. */
  module: () => Promise<WebAssembly.Module>;
  /** Cap of the WebAssembly memory; the first 16 MiB are always there. */
  maxHeapBytes: number;
  /** Cap of that memory and the model's bytes together, since the caller has those while it loads. */
  maxTotalBytes: number;
  maxModelBytes: number;
}

/** From here on a model is loaded lean: less memory, float32 products about 1.3 times slower. */
const LEAN_MODEL_BYTES = 8_000_000;
/** An instance that has grown past this is dropped with its session, so that its memory can be collected. */
const KEEP_HEAP_BYTES = 32 * 1024 * 1024;
/**
 * A session that nobody has used for so long is taken from its holder when another is waiting: a request that was
 * cancelled in workerd never gets to release what it holds.
 */
const IDLE_LIMIT_MS = 10_000;

export function wasmRuntime(options: WasmRuntimeOptions): WasmRuntime {
  return new WasmRuntime(options);
}

/** One session's turn. */
class Turn {
  session: OrtSession | undefined;
  lastUsed = Date.now();
  ended = false;
  readonly whenEnded: Promise<void>;
  #signal: () => void = () => {};

  constructor() {
    this.whenEnded = new Promise((resolve) => {
      this.#signal = resolve;
    });
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.session?.release();
    this.#signal();
  }
}

export class WasmRuntime implements Runtime {
  readonly name: string;
  readonly maxModelBytes: number;
  readonly #options: WasmRuntimeOptions;
  #instance: OrtInstance | undefined;
  #turn: Turn | undefined;

  constructor(options: WasmRuntimeOptions) {
    this.name = options.name;
    this.maxModelBytes = options.maxModelBytes;
    this.#options = options;
  }

  /** Size of the WebAssembly memory now, in bytes; 0 before the first load and after it was dropped. */
  get heapBytes(): number {
    return this.#instance?.heapBytes ?? 0;
  }

  async load(model: Uint8Array): Promise<Session> {
    if (model.length > this.maxModelBytes) {
      throw new Error(
        `the model has ${model.length} bytes and does not fit the isolate, which takes at most ${this.maxModelBytes}`,
      );
    }
    const turn = await this.#nextTurn();
    try {
      const { module, maxHeapBytes, maxTotalBytes } = this.#options;
      this.#instance ??= await OrtInstance.create(await module(), maxHeapBytes);
      this.#instance.maxHeapBytes = Math.min(maxHeapBytes, maxTotalBytes - model.length);
      const lean = model.length > LEAN_MODEL_BYTES;
      const parts = lean ? externalize(model, WEIGHTS_FILE) : { graph: model };
      turn.session = new OrtSession(this.#instance, parts, { lean });
    } catch (error) {
      // What a failed load leaves behind in the heap cannot be known.
      this.#instance = undefined;
      turn.end();
      throw error;
    }
    return new TurnSession(turn, turn.session, () => this.#end(turn));
  }

  /** Waits until no session is open, then opens a turn. */
  async #nextTurn(): Promise<Turn> {
    for (let held = this.#turn; held && !held.ended; held = this.#turn) {
      const idle = Date.now() - held.lastUsed;
      if (idle >= IDLE_LIMIT_MS) this.#end(held);
      else await withTimeout(held.whenEnded, IDLE_LIMIT_MS - idle);
    }
    this.#turn = new Turn();
    return this.#turn;
  }

  #end(turn: Turn): void {
    if (turn.ended) return;
    try {
      turn.end();
    } finally {
      const instance = this.#instance;
      if (instance && (instance.broken || instance.heapBytes > KEEP_HEAP_BYTES))
        this.#instance = undefined;
    }
  }
}

class TurnSession implements Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #turn: Turn;
  readonly #session: OrtSession;
  readonly #end: () => void;

  constructor(turn: Turn, session: OrtSession, end: () => void) {
    this.inputNames = session.inputNames;
    this.outputNames = session.outputNames;
    this.#turn = turn;
    this.#session = session;
    this.#end = end;
  }

  async run(feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>> {
    if (this.#turn.ended)
      throw new Error("runtime: the session is closed, by release() or for being idle");
    try {
      return this.#session.run(feeds);
    } finally {
      this.#turn.lastUsed = Date.now();
    }
  }

  async release(): Promise<void> {
    this.#end();
  }
}

/** Resolves with the promise, or after the time. */
async function withTimeout(promise: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}
