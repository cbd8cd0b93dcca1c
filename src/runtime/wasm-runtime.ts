/**
 * @file A `Runtime` over onnxruntime-web's WebAssembly: one session at a time, bounded memory, fresh after a failure.
 *
 * Beside it live resident sessions, of models that are run many times: they give way to a session that is loaded,
 * and come back when they are run again.
 */
import { externalize } from "./externalize.ts";
import { OrtInstance } from "./ort-instance.ts";
import { OrtSession, WEIGHTS_FILE } from "./ort-session.ts";
import { DoesNotFitError, type HostTensor, type Runtime, type Session } from "./runtime.ts";

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
/**
 * A session that nobody has used for so long is taken from its holder when another is waiting: a request that was
 * cancelled in workerd never gets to release what it holds.
 */
const IDLE_LIMIT_MS = 10_000;
/**
 * Loads that fail leave blocks behind in ONNX Runtime's heap, until small models do not fit either: a new instance has
 * all of the memory again. What is dropped is collected late, so this is not done more often.
 */
const INSTANCE_LIFETIME_MS = 30_000;

/** 8,000 nodes around one value take 5 s to load, 20,000 more than a minute. */
const MAX_MODEL_NODES = 6_000;

export function wasmRuntime(options: WasmRuntimeOptions): WasmRuntime {
  return new WasmRuntime(options);
}

/**
 * How often a load that waits looks whether its turn has come. It looks, and is not told, because workerd ties a
 * promise to the request that made it and cancels what waits for it when that request is gone.
 */
const POLL_MS = 4;

/** One session's turn. */
class Turn {
  session: OrtSession | undefined;
  lastUsed = Date.now();
  ended = false;

  end(): void {
    if (this.ended) return;
    this.ended = true;
    const { session } = this;
    this.session = undefined;
    session?.release();
  }
}

export class WasmRuntime implements Runtime {
  readonly name: string;
  readonly maxModelBytes: number;
  readonly maxModelNodes = MAX_MODEL_NODES;
  readonly #options: WasmRuntimeOptions;
  #instance: OrtInstance | undefined;
  #instanceMade = 0;
  #turn: Turn | undefined;
  /** By name, the one used last at the end. */
  readonly #residents = new Map<string, OrtSession>();

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
      throw new DoesNotFitError(
        `the model has ${model.length} bytes and does not fit the isolate, which takes at most ${this.maxModelBytes}`,
      );
    }
    const turn = await this.#nextTurn();
    try {
      this.#dropResidents();
      turn.session = await this.#open(model, model.length > LEAN_MODEL_BYTES);
    } catch (error) {
      this.#end(turn);
      throw error;
    }
    return new TurnSession(turn, turn.session, () => this.#end(turn));
  }

  /**
   * Runs a resident session, which all callers with its name share: it holds no state between runs.
   * @param name tells models apart, e.g. by their SHA-256
   * @param model gives its bytes when it has to be loaded
   * @throws Error with ONNX Runtime's message when the model does not load or the run fails
   */
  async runResident(
    name: string,
    model: () => Promise<Uint8Array>,
    feeds: Readonly<Record<string, HostTensor>>,
  ): Promise<Record<string, HostTensor>> {
    for (;;) {
      await this.#untilFree();
      const session = this.#residents.get(name);
      // No await between the look and the run: a session that is loaded meanwhile would drop this one.
      if (session) return this.#runResident(name, session, feeds);
      const bytes = await model();
      const turn = await this.#nextTurn();
      try {
        if (!this.#residents.has(name)) this.#residents.set(name, await this.#openResident(bytes));
      } finally {
        this.#end(turn);
      }
    }
  }

  /** When the memory is full the other residents go, and it is tried once more. */
  #runResident(
    name: string,
    session: OrtSession,
    feeds: Readonly<Record<string, HostTensor>>,
  ): Record<string, HostTensor> {
    this.#residents.delete(name);
    this.#residents.set(name, session);
    try {
      return session.run(feeds);
    } catch (error) {
      const others = this.#residents.size - 1;
      if (!(error instanceof DoesNotFitError) || others === 0 || this.#instance?.broken)
        throw error;
      this.#dropResidents(name);
      return session.run(feeds);
    } finally {
      this.#replaceBroken();
    }
  }

  /**
   * Lean whatever the size: weights that are fed are never packed, and without an arena a training step takes up to a third
   * less memory, in the same time.
   */
  async #openResident(model: Uint8Array): Promise<OrtSession> {
    try {
      return await this.#open(model, true);
    } catch (error) {
      if (!(error instanceof DoesNotFitError) || this.#residents.size === 0) throw error;
      this.#dropResidents();
      return await this.#open(model, true);
    }
  }

  #dropResidents(except?: string): void {
    for (const [name, session] of this.#residents) {
      if (name === except) continue;
      this.#residents.delete(name);
      session.release();
    }
  }

  async #open(model: Uint8Array, lean: boolean): Promise<OrtSession> {
    try {
      return await this.#openHere(model, lean);
    } catch (error) {
      const isOld = Date.now() - this.#instanceMade >= INSTANCE_LIFETIME_MS;
      if (!(error instanceof DoesNotFitError) || this.#residents.size > 0 || !isOld) throw error;
      this.#instance = undefined;
      return await this.#openHere(model, lean);
    }
  }

  async #openHere(model: Uint8Array, lean: boolean): Promise<OrtSession> {
    const { module, maxHeapBytes, maxTotalBytes } = this.#options;
    if (!this.#instance) {
      this.#instance = await OrtInstance.create(await module(), maxHeapBytes);
      this.#instanceMade = Date.now();
    }
    this.#instance.maxHeapBytes = Math.min(maxHeapBytes, maxTotalBytes - model.length);
    const parts = lean ? externalize(model, WEIGHTS_FILE) : { graph: model };
    return new OrtSession(this.#instance, parts, { lean });
  }

  /** Waits until no session is open. */
  async #untilFree(): Promise<void> {
    for (let held = this.#turn; held && !held.ended; held = this.#turn) {
      if (Date.now() - held.lastUsed >= IDLE_LIMIT_MS) this.#end(held);
      else await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** An instance that failed inside takes its sessions with it. */
  #replaceBroken(): void {
    if (!this.#instance?.broken) return;
    this.#instance = undefined;
    this.#residents.clear();
  }

  /** Waits until no session is open, then opens a turn. */
  async #nextTurn(): Promise<Turn> {
    await this.#untilFree();
    this.#turn = new Turn();
    return this.#turn;
  }

  #end(turn: Turn): void {
    if (turn.ended) return;
    try {
      turn.end();
    } finally {
      this.#replaceBroken();
    }
  }
}

class TurnSession implements Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #turn: Turn;
  readonly #end: () => void;

  constructor(turn: Turn, session: OrtSession, end: () => void) {
    this.inputNames = session.inputNames;
    this.outputNames = session.outputNames;
    this.#turn = turn;
    this.#end = end;
  }

  async run(feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>> {
    const { session } = this.#turn;
    if (!session) {
      throw new Error("runtime: the session is closed, by release() or for being idle");
    }
    try {
      return session.run(feeds);
    } finally {
      this.#turn.lastUsed = Date.now();
    }
  }

  async release(): Promise<void> {
    this.#end();
  }
}
