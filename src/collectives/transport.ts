/** @file What a collective needs of a network: numbered ranks, messages, back-pressure, errors that name the peer. */

/**
 * One message between two ranks.
 *
 * A message may come twice, late, or before another that was sent first: its fields say all that the receiver
 * needs to place it, so the handler ignores what it has already seen.
 */
export interface Message {
  /** Whose message this is; each channel has one handler (`collective`, or the name of another protocol). */
  readonly channel: string;
  /** The number of the operation (collectives) or step (other protocols), counted alike on all ranks. */
  readonly sequence: number;
  /** What the receiver does with it; the channel's own vocabulary, e.g. `contribute`, `deliver`. */
  readonly phase: string;
  /** The sender's rank. */
  readonly from: number;
  /** First element in the operation's vector. */
  readonly offset: number;
  /** Elements that the payload stands for, decoded. */
  readonly length: number;
  /**
   * The bytes: all of an ArrayBuffer of exactly their size, which the receiver owns and may free. Where the message
   * is `lent`, a view of the sender's own memory instead: for reading only, at once, and only until the handler has
   * ended; reading it throws a PeerError (`lost`) when the sender has withdrawn it.
   */
  readonly payload: Uint8Array<ArrayBuffer>;
  /** Whether the payload stays the sender's. */
  readonly lent?: boolean;
}

/**
 * Takes a message. What it returns, or throws, is what the sender's `send` ends with: a promise that is pending
 * is the sender's back-pressure.
 */
export type MessageHandler = (message: Message) => void | Promise<void>;

/** One rank's view of a group of ranks of one generation. */
export interface Transport {
  /** 0 … worldSize − 1. */
  readonly rank: number;
  /** How many ranks there are, 1 or more. */
  readonly worldSize: number;
  /** The membership's number. A message of another generation is refused: `send` rejects as `stale`. */
  readonly generation: number;
  /**
   * Brings a message to another rank. The payload is copied before `send` returns (not: before the promise
   * resolves), so the caller may reuse its bytes at once; the payload must fill its whole ArrayBuffer. One that is
   * `lent` is not copied: it may be any view, and must stay as it is until the promise settles or `withdraw`.
   * Resolves once the peer's handler has taken the message; a handler that is not there yet is waited for.
   * @throws PeerError `lost` when the peer is gone, `stale` when it is of another generation, `closed` after `close()`
   */
  send(to: number, message: Message): Promise<void>;
  /** Whether that rank can read this one's memory, so that messages to it may be `lent`. */
  lends(to: number): boolean;
  /** From now on nobody reads what is lent: for a rank that gives up an operation and goes on with its memory. */
  withdraw(): void;
  /** Sets the channel's handler (one a channel), and gives it what came before. */
  onMessage(channel: string, handler: MessageHandler): void;
  /** Calls back when a peer is known to be gone, or this transport was closed; at once if that is so already. */
  onFailure(handler: (error: PeerError) => void): void;
  /** Leaves the group: pending and later sends reject as `closed`, messages are refused. Idempotent. */
  close(reason?: string): void;
}

/**
 * Why a peer cannot be worked with:
 * `silent` it owed something until the deadline; `lost` it is gone (its object, process or link broke);
 * `stale` it, or we, belong to another generation; `closed` this side has left.
 */
export type PeerFault = "silent" | "lost" | "stale" | "closed";

/** A collective or a send failed because of a peer. The group must be formed anew, with a higher generation. */
export class PeerError extends Error {
  override readonly name = "PeerError";
  readonly fault: PeerFault;
  /** The rank that is to blame as far as this rank can see; its own rank where `fault` is `closed`. */
  readonly peer: number;

  constructor(fault: PeerFault, peer: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.peer = peer;
  }
}

/** Time, so that the simulator can run the same code in its own. */
export interface Clock {
  /** Milliseconds from any origin. */
  now(): number;
  /** Calls `callback` in `ms` milliseconds; the result cancels it. */
  after(ms: number, callback: () => void): () => void;
}

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
