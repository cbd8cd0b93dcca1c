/**
 * @file Ranks that are Durable Objects: each opens one link to every other by RPC and keeps it for a generation.
 *
 * A link ends with the object that gave it, so a restarted peer cannot be reached through an old one, and it tells the
 * object that gave it when its holder dies. Hundreds of messages a step are one request.
 *
 * Objects of one class often share an isolate. Then a payload need not cross: the message carries its number, and the
 * peer reads it where it is. A loan is held weakly, so that the memory of a rank that died is not kept.
 */
import { RpcTarget } from "cloudflare:workers";
import {
  type Message,
  type MessageHandler,
  PeerError,
  type PeerFault,
  type Transport,
} from "../../collectives/transport.ts";

/** The number of a payload that stays where it is, in the memory of an isolate that both ranks live in. */
type Loan = number;

/** A link as its holder sees it. */
export interface LinkStub extends Disposable {
  take(
    channel: string,
    sequence: number,
    phase: string,
    offset: number,
    length: number,
    payload: Uint8Array | Loan,
  ): Promise<void>;
  /** Which isolate the peer lives in. */
  isolate(): Promise<string>;
  leave(): Promise<void>;
}

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

let token: string | undefined;

/** A name for the isolate that this module was loaded into. */
function isolate(): string {
  return (token ??= crypto.randomUUID());
}

const loans = new Map<Loan, WeakRef<Uint8Array<ArrayBuffer>>>();
let loansGiven = 0;

/** A payload on loan, until `end`; its lender holds it. */
class Lent {
  readonly number: Loan;
  readonly payload: Uint8Array<ArrayBuffer>;

  constructor(payload: Uint8Array<ArrayBuffer>) {
    this.number = ++loansGiven;
    this.payload = payload;
    loans.set(this.number, new WeakRef(payload));
  }

  end(): void {
    loans.delete(this.number);
  }
}

/** @throws PeerError `lost` when the lender has given up or is gone */
function borrow(number: Loan, from: number): Uint8Array<ArrayBuffer> {
  const payload = loans.get(number)?.deref();
  if (payload) return payload;
  throw new PeerError("lost", from, `transport: rank ${from} has withdrawn what it lent`);
}

class Link extends RpcTarget {
  readonly #from: number;
  readonly #receive: (message: Message) => Promise<void>;
  readonly #onLeave: () => void;
  readonly #onEnd: () => void;

  constructor(
    from: number,
    receive: (message: Message) => Promise<void>,
    onLeave: () => void,
    onEnd: () => void,
  ) {
    super();
    this.#from = from;
    this.#receive = receive;
    this.#onLeave = onLeave;
    this.#onEnd = onEnd;
  }

  async take(
    channel: string,
    sequence: number,
    phase: string,
    offset: number,
    length: number,
    payload: Uint8Array<ArrayBuffer> | Loan,
  ): Promise<void> {
    const from = this.#from;
    const place = { channel, sequence, phase, from, offset, length };
    if (typeof payload !== "number") return await this.#receive({ ...place, payload });
    await this.#receive({
      ...place,
      lent: true,
      get payload() {
        return borrow(payload, from);
      },
    });
  }

  isolate(): string {
    return isolate();
  }

  leave(): void {
    this.#onLeave();
  }

  /** Called when the holder has let go of the link, or has died. */
  [Symbol.dispose](): void {
    this.#onEnd();
  }
}

const FAULTS: readonly PeerFault[] = ["silent", "lost", "stale", "closed"];

interface RemoteError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly remote?: unknown;
  readonly durableObjectReset?: unknown;
  readonly fault?: unknown;
  readonly peer?: unknown;
}

/** A peer's own account where it gives one; what a peer calls a mistake stays one; anything else is its loss. */
function peerError(error: unknown, peer: number): Error {
  const { name, message, remote, durableObjectReset, fault, peer: blamed } = error as RemoteError;
  const known = FAULTS.find((candidate) => candidate === fault);
  if (known && typeof blamed === "number") {
    return new PeerError(known, blamed, String(message), { cause: error });
  }
  const mistaken = name === "RangeError" || name === "TypeError";
  if (remote === true && durableObjectReset !== true && mistaken) return error as Error;
  return new PeerError("lost", peer, `transport: rank ${peer} is lost: ${String(message)}`, {
    cause: error,
  });
}
