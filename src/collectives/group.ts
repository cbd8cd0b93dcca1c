/** @file The ranks of a collective: numbered operations, counts, deadlines, and one failure for all. */
import type { Arena } from "../kernels/arena.ts";
import { failureMessage, failureOf, FAILED } from "./failure.ts";
import type { Counts, Segment } from "./collective.ts";
import { CHANNEL, free, Operation } from "./operation.ts";
import { segmentOf } from "./segments.ts";
import { Step } from "./step.ts";
import { type Clock, type Message, PeerError, type Transport } from "./transport.ts";

interface Early {
  readonly message: Message;
  readonly resolve: (taken: Promise<void> | void) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupOptions {
  readonly transport: Transport;
  readonly arena: Arena;
  readonly deadlineMs: number;
  readonly clock: Clock;
}

export class Group {
  readonly rank: number;
  readonly worldSize: number;
  readonly arena: Arena;
  readonly counts: Counts = {
    bytesSent: 0,
    bytesReceived: 0,
    messagesSent: 0,
    messagesReceived: 0,
  };
  readonly #transport: Transport;
  readonly #deadlineMs: number;
  readonly #clock: Clock;
  readonly #operations = new Map<number, Operation>();
  #early: Early[] = [];
  #next = 0;
  #failure: Error | undefined;
  #scratch: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor({ transport, arena, deadlineMs, clock }: GroupOptions) {
    this.#transport = transport;
    this.rank = transport.rank;
    this.worldSize = transport.worldSize;
    this.arena = arena;
    this.#deadlineMs = deadlineMs;
    this.#clock = clock;
    transport.onMessage(CHANNEL, (message) => this.#receive(message));
    transport.onFailure((error) => this.fail(error));
  }

  /** The other ranks, the right neighbour first, so that not all begin with the same one. */
  get peers(): number[] {
    return Array.from(
      { length: this.worldSize - 1 },
      (_, k) => (this.rank + 1 + k) % this.worldSize,
    );
  }

  segment(length: number, rank = this.rank): Segment {
    return segmentOf(length, rank, this.worldSize);
  }

  /**
   * Performs the next operation, in chunks of `chunkLength` to twice as many elements. Should it fail, so do the group and all its operations.
   * @throws PeerError, or what `body` throws
   */
  async perform(
    name: string,
    chunkLength: number,
    body: (step: Step) => Promise<void>,
  ): Promise<void> {
    if (this.#failure) throw this.#failure;
    let last = this.#clock.now();
    const onProgress = () => {
      last = this.#clock.now();
    };
    const operation = new Operation(name, this.#next++, ({ payload }) => {
      this.counts.messagesReceived++;
      this.counts.bytesReceived += payload.byteLength;
      onProgress();
    });
    const step = new Step(this, this.#transport, operation, chunkLength, onProgress);
    this.#operations.set(operation.sequence, operation);
    this.#admit(operation);
    const { promise: failed, reject } = Promise.withResolvers<never>();
    let cancel = () => {};
    const watch = () => {
      const waited = this.#clock.now() - last;
      const guilty = operation.owing(true);
      // who only hears that others hear nothing gives them time to say whom they wait for
      const patience = this.#deadlineMs * (guilty.length > 0 ? 1 : 1.5);
      if (waited < patience) cancel = this.#clock.after(patience - waited, watch);
      else reject(operation.silence(waited, guilty.length > 0 ? guilty : step.awaiting));
    };
    watch();
    try {
      await Promise.race([step.run(body), failed]);
      this.#operations.delete(operation.sequence);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
      throw this.#failure ?? error;
    } finally {
      cancel();
    }
  }

  /** Scratch of that size, until the next call: a transport has copied what is in it by then. */
  scratch(bytes: number): Uint8Array<ArrayBuffer> {
    if (this.#scratch.byteLength !== bytes) this.#scratch = new Uint8Array(bytes);
    return this.#scratch;
  }

  /** The first failure is the group's; the peers are told, for they may wait for this rank and send it nothing. */
  fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#transport.withdraw();
    if (this.#operations.size > 0) this.#tell(error);
    for (const operation of this.#operations.values()) operation.fail(error);
    for (const early of this.#early) early.reject(error);
    this.#operations.clear();
    this.#early = [];
  }

  close(reason: string): void {
    this.fail(new PeerError("closed", this.rank, `collectives: rank ${this.rank} left: ${reason}`));
    this.#transport.close(reason);
  }

  #tell(error: Error): void {
    for (const peer of this.peers) {
      const message = failureMessage(error, this.rank);
      this.#transport.send(peer, { ...message, channel: CHANNEL, from: this.rank }).catch(() => {});
    }
  }

  #receive(message: Message): Promise<void> | void {
    if (this.#failure) throw this.#failure;
    if (message.phase.startsWith(FAILED)) return this.fail(failureOf(message));
    const operation = this.#operations.get(message.sequence);
    if (operation) return this.#accept(operation, message);
    // of an operation that has ended: a duplicate
    if (message.sequence < this.#next) return free(message);
    return new Promise((resolve, reject) => {
      this.#early.push({ message, resolve, reject });
    });
  }

  /** A message that does not belong here shows that the ranks have parted ways. */
  #accept(operation: Operation, message: Message): Promise<void> | void {
    try {
      return operation.accept(message);
    } catch (error) {
      this.fail(error as Error);
      throw error;
    }
  }

  /** Hands an operation what came before this rank had begun it. */
  #admit(operation: Operation): void {
    const early = this.#early;
    this.#early = early.filter(({ message }) => message.sequence !== operation.sequence);
    for (const { message, resolve, reject } of early) {
      if (message.sequence !== operation.sequence) continue;
      try {
        resolve(this.#accept(operation, message));
      } catch (error) {
        reject(error);
      }
    }
  }
}
