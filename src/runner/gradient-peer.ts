/**
 * @file The rank's end of the line to a runner: asks for gradients, and takes nothing from it that is not what was asked
 * for, whole and finite.
 */
import type { Arena } from "../kernels/arena.ts";
import type { Batch, BatchLoss } from "../train/executor.ts";
import type { Layout } from "../train/layout.ts";
import { NonFiniteAnswer, type RemoteRunner } from "../train/remote-executor.ts";
import {
  FRAME,
  type LinkRun,
  LINK_CLOSE,
  parseLinkText,
  readFrame,
  ToRank,
  type ToRunner,
} from "./gradient-link.ts";
import { PendingAnswer } from "./pending-answer.ts";
import { RunnerFeed } from "./runner-feed.ts";
import { type LineCodec, VectorEncoding } from "./vector-encoding.ts";

/** A WebSocket, as far as it is needed here. */
export interface PeerLine {
  send(message: string | Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
}

/** The runner broke the rules of the line. */
export class RunnerFault extends Error {
  override readonly name = "RunnerFault";
}

export interface PeerOptions {
  layout: Layout;
  line: PeerLine;
  /** How parameters and gradients travel, where the runner can do it; default: as float32. */
  codec?: LineCodec | undefined;
  /** Where a codec works. */
  arena?: Arena | undefined;
  /** Of the load, and of the first run of each kind, in which shaders are compiled. */
  firstMs: number;
  /** Of any other run. */
  runMs: number;
}

export class GradientPeer implements RemoteRunner {
  readonly #options: PeerOptions;
  readonly #ready = Promise.withResolvers<void>();
  #encoding: VectorEncoding;
  #feed: RunnerFeed;
  #pending: PendingAnswer | undefined;
  #runs = 0;
  /** Kinds of runs that were done. */
  readonly #warm = new Set<LinkRun["what"]>();
  #error: Error | undefined;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.#encoding = new VectorEncoding(options.layout);
    this.#feed = this.#feedIn(this.#encoding);
    const { entries, length, parameters } = options.layout;
    const parts = entries.map(({ name, dims, offset, length: elements, gradient }) => ({
      name,
      dims,
      offset,
      length: elements,
      gradient,
    }));
    this.#ready.promise.catch(() => undefined);
    const { codec = "none" } = options;
    this.#say({ type: "begin", entries: parts, length, parameters, codec });
    void this.#within(options.firstMs, "ready", this.#ready.promise).catch(() => undefined);
  }

  /** Resolves once the runner can be asked. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Why it cannot be asked any more. */
  get error(): Error | undefined {
    return this.#error;
  }

  async gradients(
    vector: Float32Array,
    batch: Batch,
    into: Float32Array,
    unchanged: boolean,
  ): Promise<BatchLoss> {
    return await this.#ask("gradients", vector, batch, into, unchanged);
  }

  async evaluate(vector: Float32Array, batch: Batch, unchanged: boolean): Promise<BatchLoss> {
    return await this.#ask("evaluate", vector, batch, undefined, unchanged);
  }

  /** The rank is done: the runner may end its task. */
  release(): void {
    if (this.#error) return;
    this.#say({ type: "release" });
    this.#fail(new Error("the rank is done"));
  }

  /** Ends the line. */
  close(code: number, reason: string): void {
    this.#fail(new Error(reason));
    try {
      // RFC 6455: a reason has at most 123 bytes.
      this.#options.line.close(code, reason.slice(0, 120));
    } catch {
      // It is closed already.
    }
  }

  /** What the runner says. */
  hear(data: unknown): void {
    if (this.#error) return;
    try {
      if (typeof data === "string") this.#hearText(parseLinkText(ToRank, data));
      else if (data instanceof ArrayBuffer) this.#hearFrame(data);
      else throw new RangeError("link: a message is neither text nor bytes");
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const known = error instanceof NonFiniteAnswer;
      this.#fail(known ? error : new RunnerFault(message));
      this.close(LINK_CLOSE.refused, message);
    }
  }

  /** The line ended. */
  broke(reason: string): void {
    this.#fail(new Error(`the line to the runner broke${reason && `: ${reason}`}`));
  }

  async #ask(
    what: LinkRun["what"],
    vector: Float32Array,
    batch: Batch,
    into: Float32Array | undefined,
    unchanged: boolean,
  ): Promise<BatchLoss> {
    if (this.#error) throw this.#error;
    if (this.#pending) throw new Error("link: one run at a time");
    const { firstMs, runMs } = this.#options;
    const run = ++this.#runs;
    const pending = new PendingAnswer(run, this.#encoding, into);
    this.#pending = pending;
    const limit = this.#warm.has(what) ? runMs : firstMs;
    const sent = this.#feed.run(run, what, batch, vector, unchanged);
    sent.catch(() => undefined);
    try {
      const [loss] = await this.#within(limit, "answer", Promise.all([pending.loss, sent]));
      this.#warm.add(what);
      return loss;
    } finally {
      this.#pending = undefined;
    }
  }

  #hearText(said: ToRank): void {
    switch (said.type) {
      case "ready":
        return this.#begin(said.codec ?? "none");
      case "took":
        return this.#feed.took(said.bytes);
      case "failed":
        return this.close(LINK_CLOSE.over, `the runner failed: ${said.message}`);
      default:
        return this.#done(said);
    }
  }

  #begin(codec: LineCodec): void {
    const { layout, codec: wanted, arena } = this.#options;
    if (codec !== "none" && codec !== wanted) {
      throw new RangeError(`link: ${codec} was not asked for`);
    }
    if (this.#runs > 0) throw new RangeError("link: the runner is ready again");
    this.#encoding = new VectorEncoding(layout, codec, arena);
    this.#feed = this.#feedIn(this.#encoding);
    this.#ready.resolve();
  }

  #hearFrame(data: ArrayBuffer): void {
    const frame = readFrame(data);
    const { type, run } = frame;
    const pending = this.#pending;
    if (type !== FRAME.gradient || !pending?.hasGradients || run !== pending.run) {
      throw new RangeError(`link: a frame of type ${type} for run ${run}, which is not under way`);
    }
    pending.take(frame);
  }

  #done(said: Extract<ToRank, { type: "done" }>): void {
    const pending = this.#pending;
    if (!pending || said.run !== pending.run) {
      throw new RangeError(`link: run ${said.run} is done, which is not under way`);
    }
    pending.done(said);
  }

  #feedIn(encoding: VectorEncoding): RunnerFeed {
    return new RunnerFeed(encoding, (message) => this.#options.line.send(message));
  }

  #say(message: ToRunner): void {
    this.#options.line.send(JSON.stringify(message));
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#ready.reject(this.#error);
    this.#pending?.fail(this.#error);
    this.#feed.fail(this.#error);
  }

  async #within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
    const timer = setTimeout(
      () => this.close(LINK_CLOSE.over, `the runner gave no ${what} within ${limitMs} ms`),
      limitMs,
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}
