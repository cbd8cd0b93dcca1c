/** @file One operation on one rank: the messages that came for it, and who still owes one. */
import { type Message, PeerError } from "./transport.ts";

/** Of the transport. */
export const CHANNEL = "collective";

/** A message that is the algorithm's until it calls `release`, which frees it and lets its sender send another. */
export interface Received {
  /** For use at once: what is lent may be withdrawn. */
  readonly payload: Uint8Array;
  readonly release: () => void;
}

interface Letter {
  readonly message: Message;
  readonly taken: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

interface Taker {
  readonly from: number;
  readonly length: number;
  readonly firstHand: boolean;
  resolve(received: Received): void;
  reject(error: Error): void;
}

export class Operation {
  readonly name: string;
  readonly sequence: number;
  readonly #onMessage: (message: Message) => void;
  readonly #letters = new Map<string, Letter>();
  readonly #takers = new Map<string, Taker>();
  readonly #done = new Set<string>();
  #failure: Error | undefined;

  /** @param onMessage hears of each message that is used; not of duplicates */
  constructor(name: string, sequence: number, onMessage: (message: Message) => void) {
    this.name = name;
    this.sequence = sequence;
    this.#onMessage = onMessage;
  }

  /** The ranks that owe a message which the algorithm waits for. @param atFirstHand only those that alone are to blame */
  owing(atFirstHand: boolean): number[] {
    const takers = [...this.#takers.values()].filter((taker) => taker.firstHand || !atFirstHand);
    return [...new Set(takers.map(({ from }) => from))];
  }

  /**
   * Takes in a message. What has come before is ignored, and ends as the first one does.
   * @throws RangeError when the sender performs another operation than this one
   */
  accept(message: Message): Promise<void> | void {
    const { phase, from, offset } = message;
    if (!phase.startsWith(`${this.name}.`)) {
      throw new RangeError(
        `collectives: rank ${from} sent ${phase} in operation ${this.sequence}, which is ${this.name} here`,
      );
    }
    const key = keyOf(phase, from, offset);
    if (this.#done.has(key)) return free(message);
    const before = this.#letters.get(key);
    if (before) {
      free(message);
      return before.taken;
    }
    const letter = newLetter(message);
    this.#letters.set(key, letter);
    const taker = this.#takers.get(key);
    if (taker) this.#hand(key, letter, taker);
    return letter.taken;
  }

  /**
   * The message of that phase and place, now or when it comes.
   * @param firstHand whether its sender waits for nobody else before it sends it
   * @throws PeerError when the operation fails; RangeError when the message has another length
   */
  take(
    phase: string,
    from: number,
    offset: number,
    length: number,
    firstHand: boolean,
  ): Promise<Received> {
    if (this.#failure) return Promise.reject(this.#failure);
    const key = keyOf(`${this.name}.${phase}`, from, offset);
    return new Promise((resolve, reject) => {
      const taker = { from, length, firstHand, resolve, reject };
      const letter = this.#letters.get(key);
      if (letter) this.#hand(key, letter, taker);
      else this.#takers.set(key, taker);
    });
  }

  #hand(key: string, letter: Letter, taker: Taker): void {
    this.#takers.delete(key);
    const { message } = letter;
    if (message.length !== taker.length) {
      return taker.reject(
        new RangeError(
          `collectives: rank ${message.from} sent ${message.length} elements at ${message.offset} in operation ${this.sequence} (${this.name}), where ${taker.length} belong`,
        ),
      );
    }
    this.#onMessage(message);
    taker.resolve({
      get payload() {
        return message.payload;
      },
      release: () => {
        this.#letters.delete(key);
        this.#done.add(key);
        free(message);
        letter.resolve();
      },
    });
  }

  /** Rejects all who wait: the algorithm here, and the senders of what was not taken yet. */
  fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const taker of this.#takers.values()) taker.reject(error);
    for (const letter of this.#letters.values()) letter.reject(error);
    this.#takers.clear();
    this.#letters.clear();
  }

  /** The deadline's error. */
  silence(ms: number, awaiting: readonly number[]): PeerError {
    const [first = -1] = awaiting;
    const others = awaiting.length > 1 ? ` (waiting for ranks ${awaiting.join(", ")})` : "";
    return new PeerError(
      "silent",
      first,
      `collectives: rank ${first} sent nothing for ${Math.round(ms)} ms in operation ${this.sequence}, ${this.name}${others}`,
    );
  }
}

function keyOf(phase: string, from: number, offset: number): string {
  return `${phase} ${from} ${offset}`;
}

function newLetter(message: Message): Letter {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // the sender hears of it; nobody else needs to
  promise.catch(() => {});
  return { message, taken: promise, resolve, reject };
}

/** Gives the bytes back now: left to the collector, chunks pile up faster than it runs. */
export function free(message: Message): void {
  if (!message.lent) message.payload.buffer.transfer(0);
}
