/**
 * @file Async mode's messages: a rank serves its shard of the parameters to all, takes their gradients, and
 * fetches their shards.
 *
 * `pull` (step) → `shard` (chunks), once every rank's steps before step − maxStaleness are in;
 * `push` (chunks of a gradient) or `pass` (a step without one); `collect`: a pull after the last step, for all of
 * it; `leave`: the sender has collected all. A message may come twice or late.
 *
 * Checkpoints: pushes of steps beyond the next checkpoint wait (their senders with them) until this rank has
 * taken its own, so that each shard then holds exactly so many steps of every rank.
 */
import { free } from "../../collectives/operation.ts";
import { chunksOf, segmentOf } from "../../collectives/segments.ts";
import { type Clock, type Message, PeerError, systemClock } from "../../collectives/transport.ts";
import type { Replica } from "../replica.ts";
import { Condition } from "./condition.ts";
import { ParameterShard } from "./parameter-shard.ts";
import {
  CHUNK_ELEMENTS,
  type Phase,
  ShardChannel,
  type ShardChannelOptions,
} from "./shard-channel.ts";

export interface ShardServerOptions extends ShardChannelOptions {
  /** No rank starts a step that is more than so many ahead of the slowest rank's. */
  maxStaleness: number;
  /** Steps between two checkpoints; all ranks wait for one another there. */
  checkpointEvery: number;
  /** A wait in which no peer says anything for so long fails as `silent` (default 60,000): more than a step takes. */
  deadlineMs?: number | undefined;
  clock?: Clock | undefined;
}

const DEADLINE_MS = 60_000;

/** Other ranks' shards on their way to this one. */
interface Fetching {
  step: number;
  /** `rank:offset` of the chunks that came. */
  chunks: Set<string>;
  elementsLeft: number;
}

export class ShardServer {
  readonly shard: ParameterShard;
  readonly #replica: Replica;
  readonly #channel: ShardChannel;
  readonly #maxStaleness: number;
  readonly #condition: Condition;
  readonly #peers: readonly number[];
  /** By rank: the step of the last pull that is, or will be, answered. */
  readonly #answered = new Map<number, number>();
  readonly #left = new Set<number>();
  #limit = 0;
  #fetching: Fetching | undefined;

  constructor(options: ShardServerOptions) {
    const { replica, transport, clock = systemClock, deadlineMs = DEADLINE_MS } = options;
    this.shard = new ParameterShard(options);
    this.#replica = replica;
    this.#channel = new ShardChannel(options, (message) => this.#receive(message));
    this.#maxStaleness = options.maxStaleness;
    this.#peers = Array.from(
      { length: replica.worldSize - 1 },
      (_, k) => (replica.rank + 1 + k) % replica.worldSize,
    );
    this.#condition = new Condition({
      clock,
      deadlineMs,
      silence: () => {
        const peer = this.#slowestPeer();
        return new PeerError("silent", peer, `async: rank ${peer} is silent for ${deadlineMs} ms`);
      },
    });
    transport.onFailure((error) => this.#condition.fail(error));
  }

  /** Lets in the gradients of steps before `limit`, which waited until now. */
  admit(limit: number): void {
    this.#limit = limit;
    this.#condition.signal();
  }

  /** Fetches all shards, each with at least all steps before `step − maxStaleness`, into the replica's vector. */
  pull(step: number): Promise<void> {
    return this.#condition.watched(this.#fetch("pull", step, this.#maxStaleness));
  }

  /**
   * Sends each owner its part of a gradient; without one, only word that the step is done.
   * @returns the staleness in the own shard
   */
  async push(step: number, gradient: Float32Array | undefined): Promise<number> {
    const { rank } = this.#replica;
    const all = [rank, ...this.#peers].map((to) => this.#pushTo(to, step, gradient));
    const [staleness = 0] = await this.#condition.watched(Promise.all(all));
    return staleness;
  }

  /** Waits until the first `steps` steps of every rank are in the shard. */
  async settled(steps: number): Promise<void> {
    await this.#condition.watched(this.#condition.until(() => this.shard.slowest >= steps));
  }

  /** Waits for all ranks' last steps, fetches the result, and serves until all others have it too. */
  async finish(): Promise<void> {
    const { step } = this.#replica;
    this.admit(Infinity);
    await this.#condition.watched(this.#fetch("collect", step, 0));
    const leaving = this.#peers.map((to) => this.#channel.send(to, "leave", step, 0));
    const others = this.#condition.until(() => this.#left.size === this.#peers.length);
    await this.#condition.watched(Promise.all([...leaving, others]));
  }

  async #fetch(phase: "pull" | "collect", step: number, behind: number): Promise<void> {
    const { rank, vector } = this.#replica;
    const { range, values } = this.shard;
    const fetching = {
      step,
      chunks: new Set<string>(),
      elementsLeft: vector.length - values.length,
    };
    this.#fetching = fetching;
    const asked = this.#peers.map((to) => this.#channel.send(to, phase, step, 0));
    const own = this.#condition
      .until(() => this.shard.slowest >= step - behind)
      .then(() => vector.set(this.shard.giving(rank), range.start));
    const fetched = this.#condition.until(() => fetching.elementsLeft === 0);
    await Promise.all([own, fetched, ...asked]);
    this.#fetching = undefined;
  }

  /** @returns the staleness, of the own shard */
  async #pushTo(to: number, step: number, gradient: Float32Array | undefined): Promise<number> {
    const { rank, layout, vector, worldSize } = this.#replica;
    const segment = segmentOf(vector.length, to, worldSize);
    const staleness = this.shard.staleness(rank);
    if (!gradient || segment.end === segment.start) {
      await (to === rank ? this.#takePass(rank, step) : this.#channel.send(to, "pass", step, 0));
      return staleness;
    }
    const behind = Math.min(Math.max(layout.parameters, segment.start), segment.end);
    // gradients and buffers apart, since they may be encoded differently
    const parts = [
      { start: segment.start, end: behind },
      { start: behind, end: segment.end },
    ];
    for (const { start, end } of parts.flatMap((part) => [...chunksOf(part, CHUNK_ELEMENTS)])) {
      const values = gradient.subarray(start, end);
      await (to === rank
        ? this.#takeChunk(rank, step, start, values)
        : this.#channel.send(to, "push", step, start, values));
    }
    return staleness;
  }

  async #receive(message: Message): Promise<void> {
    this.#condition.heard();
    const { from, sequence, offset, length, payload } = message;
    switch (message.phase as Phase) {
      case "pull":
        return this.#give(from, sequence, this.#maxStaleness);
      case "collect":
        return this.#give(from, sequence, 0);
      case "shard":
        this.#takeShard(from, sequence, offset, new Float32Array(payload.buffer, 0, length));
        return free(message);
      case "push":
        await this.#takeChunk(from, sequence, offset, this.#channel.gradient(message));
        return free(message);
      case "pass":
        return this.#takePass(from, sequence);
      case "leave":
        this.#left.add(from);
        return this.#condition.signal();
    }
  }

  /** Promises a rank the shard, for when the slowest rank is not too far behind. */
  #give(to: number, step: number, behind: number): void {
    if (step <= (this.#answered.get(to) ?? -1)) return;
    this.#answered.set(to, step);
    const answer = async (): Promise<void> => {
      await this.#condition.until(() => this.shard.slowest >= step - behind);
      const values = this.shard.giving(to);
      const { start: first } = this.shard.range;
      // a gradient that comes in between two chunks is in the second alone
      for (const { start, end } of chunksOf(this.shard.range, CHUNK_ELEMENTS)) {
        await this.#channel.send(
          to,
          "shard",
          step,
          start,
          values.subarray(start - first, end - first),
        );
      }
    };
    answer().catch((error: unknown) =>
      this.#condition.fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #takeShard(from: number, step: number, offset: number, values: Float32Array): void {
    const fetching = this.#fetching;
    const key = `${from}:${offset}`;
    if (fetching?.step !== step || fetching.chunks.has(key)) return;
    fetching.chunks.add(key);
    fetching.elementsLeft -= values.length;
    this.#replica.vector.set(values, offset);
    this.#condition.signal();
  }

  async #takeChunk(
    from: number,
    step: number,
    offset: number,
    values: Float32Array,
  ): Promise<void> {
    while (!this.shard.has(from, step, offset)) {
      if (step < this.#limit && this.shard.accepts(from, step)) {
        this.shard.apply(from, step, offset, values);
        this.#condition.signal();
      } else await this.#condition.change();
    }
  }

  async #takePass(from: number, step: number): Promise<void> {
    while (!this.shard.has(from, step)) {
      if (step < this.#limit && this.shard.accepts(from, step)) {
        this.shard.pass(from);
        this.#condition.signal();
      } else await this.#condition.change();
    }
  }

  #slowestPeer(): number {
    const [first = this.#replica.rank, ...others] = this.#peers;
    return others.reduce((a, b) => (this.shard.steps(b) < this.shard.steps(a) ? b : a), first);
  }
}
