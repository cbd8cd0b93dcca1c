/** @file Ranks that are Durable Objects: each opens one link to every other by RPC and keeps it for a generation. */
import type { RpcTarget } from "cloudflare:workers";
import {
  type Message,
  type MessageHandler,
  PeerError,
  type Transport,
} from "../../collectives/transport.ts";
import { isolate, Lent } from "./loans.ts";
import { peerError } from "./peer-error.ts";
import { Link, type LinkStub } from "./rpc-link.ts";

export interface RpcTransportOptions {
  readonly rank: number;
  readonly worldSize: number;
  readonly generation: number;
  /** Asks a peer's object for `RpcTransport.link(generation, rank)`, over a fresh stub. */
  readonly connect: (peer: number) => Promise<LinkStub>;
}

export class RpcTransport implements Transport {
  readonly rank: number;
  readonly worldSize: number;
  readonly generation: number;
  readonly #connect: (peer: number) => Promise<LinkStub>;
  readonly #links = new Map<number, LinkStub>();
  readonly #handlers = new Map<string, PromiseWithResolvers<MessageHandler>>();
  readonly #listeners: ((error: PeerError) => void)[] = [];
  /** Calls that were not answered yet, to be ended when this rank leaves: a peer that hangs never answers. */
  readonly #pending = new Set<Call>();
  readonly #neighbours = new Set<number>();
  readonly #departed = new Set<number>();
  #failure: PeerError | undefined;
  #left: PeerError | undefined;

  constructor({ rank, worldSize, generation, connect }: RpcTransportOptions) {
    this.rank = rank;
    this.worldSize = worldSize;
    this.generation = generation;
    this.#connect = connect;
  }

  /**
   * Opens the links to all peers, which must have joined the generation by now.
   * @throws PeerError `stale` or `lost`
   */
  async open(): Promise<void> {
    const opened = await Promise.allSettled(
      Array.from({ length: this.worldSize }, async (_, peer) => {
        if (peer === this.rank) return;
        try {
          const link = await this.#connect(peer);
          if (this.#left) return link[Symbol.dispose]();
          this.#links.set(peer, link);
          if ((await link.isolate()) === isolate()) this.#neighbours.add(peer);
        } catch (error) {
          throw peerError(error, peer);
        }
      }),
    );
    if (this.#left) throw this.#left;
    for (const result of opened) if (result.status === "rejected") throw result.reason;
  }

  /**
   * A peer's way in: what the rank's object returns to the peer that asks for it.
   * @throws PeerError `stale` when the peer is of another generation, `closed` after `close()`
   */
  link(generation: number, from: number): RpcTarget {
    if (generation !== this.generation) {
      throw new PeerError(
        "stale",
        from,
        `transport: rank ${from} came in generation ${generation}, now is ${this.generation}`,
      );
    }
    if (this.#left) throw this.#left;
    return new Link(
      from,
      async (message) => await this.#receive(message),
      () => this.#departed.add(from),
      () => this.#holderGone(from),
    );
  }

  send(to: number, message: Message): Promise<void> {
    const { channel, sequence, phase, offset, length, payload, lent = false } = message;
    if (!lent && payload.byteLength !== payload.buffer.byteLength) {
      // the whole buffer would cross
      throw new RangeError(
        `transport: a payload of ${payload.byteLength} bytes in a buffer of ${payload.buffer.byteLength}`,
      );
    }
    if (this.#left) return Promise.reject(this.#left);
    const link = this.#links.get(to);
    if (!link) return Promise.reject(new RangeError(`transport: no link to rank ${to}`));
    return new Promise((resolve, reject) => {
      const call: Call = { reject, loan: lent ? new Lent(payload) : undefined };
      this.#pending.add(call);
      // the arguments are serialized at once, so a payload that is not lent is free when this returns
      link
        .take(channel, sequence, phase, offset, length, call.loan?.number ?? payload)
        .then(resolve, (error: unknown) => reject(peerError(error, to)))
        .finally(() => {
          this.#pending.delete(call);
          call.loan?.end();
        });
    });
  }

  lends(to: number): boolean {
    return this.#neighbours.has(to);
  }

  withdraw(): void {
    for (const { loan } of this.#pending) loan?.end();
  }

  onMessage(channel: string, handler: MessageHandler): void {
    this.#handler(channel).resolve(handler);
  }

  onFailure(handler: (error: PeerError) => void): void {
    this.#listeners.push(handler);
    if (this.#failure) handler(this.#failure);
  }

  close(reason = "closed"): void {
    if (this.#left) return;
    const error = new PeerError(
      "closed",
      this.rank,
      `transport: rank ${this.rank} left: ${reason}`,
    );
    this.#left = error;
    this.withdraw();
    for (const { reject } of this.#pending) reject(error);
    this.#pending.clear();
    for (const link of this.#links.values()) {
      // who is told does not take the link's end for a death
      link
        .leave()
        .catch(() => {})
        .finally(() => link[Symbol.dispose]());
    }
    this.#links.clear();
    this.#fail(error);
  }

  async #receive(message: Message): Promise<void> {
    if (this.#left) throw this.#left;
    const handler = await this.#handler(message.channel).promise;
    await handler(message);
  }

  #handler(channel: string): PromiseWithResolvers<MessageHandler> {
    let handler = this.#handlers.get(channel);
    if (!handler) this.#handlers.set(channel, (handler = Promise.withResolvers()));
    return handler;
  }

  #holderGone(peer: number): void {
    if (this.#left || this.#departed.has(peer)) return;
    this.#fail(new PeerError("lost", peer, `transport: rank ${peer} is gone, its link has ended`));
  }

  #fail(error: PeerError): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const listener of this.#listeners) listener(error);
  }
}

interface Call {
  readonly reject: (error: PeerError) => void;
  readonly loan: Lent | undefined;
}
