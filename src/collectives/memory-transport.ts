/** @file Ranks within one program: for tests, and as the plainest transport there is. */
import {
  type Message,
  type MessageHandler,
  PeerError,
  type PeerFault,
  type Transport,
} from "./transport.ts";

/** Brings one message over by calling `deliver`, at some time, perhaps more than once. */
export type Carry = (deliver: () => Promise<void>) => Promise<void>;

export interface MemoryNetworkOptions {
  readonly worldSize: number;
  /** Default: at once. `bad-network.ts` has a worse one. */
  readonly carry?: Carry;
  /** Whether ranks read each other's memory (default: no, every message is copied). */
  readonly lends?: boolean;
  /** Sees every message before it leaves; where it answers `false` the message is lost and its sender waits for ever. */
  readonly passes?: (message: Message, to: number) => boolean;
}

export class MemoryNetwork {
  readonly #options: MemoryNetworkOptions;
  #transports: MemoryTransport[] = [];

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
  }

  /** The transports of a new generation; what comes from an earlier one's is refused from now on. */
  form(generation: number): readonly Transport[] {
    const carry = this.#options.carry ?? ((deliver) => deliver());
    this.#transports = Array.from(
      { length: this.#options.worldSize },
      (_, rank) =>
        new MemoryTransport(rank, this.#options, generation, (message, to) => {
          if (this.#options.passes?.(message, to) === false) return new Promise(() => {});
          // a copy for each delivery: the receiver frees what it was given
          const kept = message.lent ? undefined : message.payload.slice();
          return carry(async () => {
            const receiver = this.#transports[to];
            if (!receiver) throw new RangeError(`transport: no rank ${to}`);
            const arrived = kept ? { ...message, payload: kept.slice() } : message;
            await receiver.receive(generation, arrived);
          });
        }),
    );
    return this.#transports;
  }

  /** Breaks a rank's links: what is sent to it or by it rejects as `lost`, and the others hear of it. */
  kill(rank: number): void {
    for (const transport of this.#transports) {
      transport.end("lost", rank, `rank ${rank} is gone`, transport.rank === rank);
    }
  }
}

class MemoryTransport implements Transport {
  readonly rank: number;
  readonly worldSize: number;
  readonly generation: number;
  readonly #carry: (message: Message, to: number) => Promise<void>;
  readonly #handlers = new Map<string, PromiseWithResolvers<MessageHandler>>();
  readonly #listeners: ((error: PeerError) => void)[] = [];
  readonly #gone = new Map<number, PromiseWithResolvers<never>>();
  readonly #lends: boolean;
  /** Grows with every withdrawal: what was lent before is gone. */
  #loans = 0;
  #failure: PeerError | undefined;
  #left: PeerError | undefined;

  constructor(
    rank: number,
    { worldSize, lends = false }: MemoryNetworkOptions,
    generation: number,
    carry: (message: Message, to: number) => Promise<void>,
  ) {
    this.rank = rank;
    this.worldSize = worldSize;
    this.#lends = lends;
    this.generation = generation;
    this.#carry = carry;
  }

  async send(to: number, message: Message): Promise<void> {
    if (this.#left) throw this.#left;
    const carried = message.lent ? this.#loan(message) : message;
    await Promise.race([this.#carry(carried, to), this.#loss(to).promise]);
  }

  lends(): boolean {
    return this.#lends;
  }

  withdraw(): void {
    this.#loans++;
  }

  onMessage(channel: string, handler: MessageHandler): void {
    this.#handler(channel).resolve(handler);
  }

  onFailure(handler: (error: PeerError) => void): void {
    this.#listeners.push(handler);
    if (this.#failure) handler(this.#failure);
  }

  close(reason = "closed"): void {
    this.end("closed", this.rank, `rank ${this.rank} left: ${reason}`, true);
  }

  async receive(generation: number, message: Message): Promise<void> {
    if (generation !== this.generation) {
      throw new PeerError(
        "stale",
        message.from,
        `transport: rank ${message.from} sent in generation ${generation}, now is ${this.generation}`,
      );
    }
    if (this.#left) throw this.#left;
    const handler = await this.#handler(message.channel).promise;
    await handler(message);
  }

  /** @param self whether it is this rank that has left or is gone */
  end(fault: PeerFault, peer: number, why: string, self: boolean): void {
    if (this.#left) return;
    const error = new PeerError(fault, peer, `transport: ${why}`);
    if (self) {
      this.#left = error;
      this.withdraw();
    }
    this.#failure ??= error;
    for (let rank = 0; rank < this.worldSize; rank++) {
      if (self || rank === peer) this.#loss(rank).reject(error);
    }
    for (const listener of this.#listeners) listener(error);
  }

  #loan(message: Message): Message {
    const loan = this.#loans;
    const valid = () => loan === this.#loans;
    return {
      ...message,
      get payload() {
        if (valid()) return message.payload;
        throw new PeerError("lost", message.from, `transport: rank ${message.from} has given up`);
      },
    };
  }

  #handler(channel: string): PromiseWithResolvers<MessageHandler> {
    return entry(this.#handlers, channel);
  }

  #loss(rank: number): PromiseWithResolvers<never> {
    return entry(this.#gone, rank);
  }
}

function entry<K, V>(map: Map<K, PromiseWithResolvers<V>>, key: K): PromiseWithResolvers<V> {
  let found = map.get(key);
  if (!found) {
    found = Promise.withResolvers<V>();
    found.promise.catch(() => {});
    map.set(key, found);
  }
  return found;
}
