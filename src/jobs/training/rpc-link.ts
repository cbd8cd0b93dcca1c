/**
 * @file One rank's way to another, by RPC: an object of the one, held by the other for a generation.
 *
 * A link ends with the object that gave it, so a restarted peer cannot be reached through an old one, and it tells the
 * object that gave it when its holder dies. Hundreds of messages a step are one request.
 */
import { RpcTarget } from "cloudflare:workers";
import type { Message } from "../../collectives/transport.ts";
import { borrow, isolate, type Loan } from "./loans.ts";

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

export class Link extends RpcTarget {
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
