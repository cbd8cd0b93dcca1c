/** @file One rank's messages to one other: at most a window's worth under way. */
import type { Message, Transport } from "./transport.ts";
import { WINDOW } from "./segments.ts";

export class Lane {
  readonly to: number;
  readonly #transport: Transport;
  readonly #onProgress: () => void;
  readonly #onFailure: (error: Error) => void;
  readonly #mostElements: number;
  readonly #underWay: { readonly sent: Promise<void>; readonly elements: number }[] = [];
  #elements = 0;

  constructor(
    transport: Transport,
    to: number,
    chunkLength: number,
    onProgress: () => void,
    onFailure: (error: Error) => void,
  ) {
    this.#transport = transport;
    this.to = to;
    this.#mostElements = WINDOW * chunkLength;
    this.#onProgress = onProgress;
    this.#onFailure = onFailure;
  }

  /** Whether the peer has not taken all yet. */
  get busy(): boolean {
    return this.#underWay.length > 0;
  }

  /** Resolves when the window has room: for chunks, or for as much of what is smaller. @throws what the oldest message under way ended with */
  async ready(): Promise<void> {
    while (this.#underWay.length >= WINDOW && this.#elements >= this.#mostElements) {
      await this.#oldest();
    }
  }

  /** Sends at once; the payload may be reused when this returns. */
  push(message: Message): void {
    const sent = this.#transport.send(this.to, message);
    // `ready` and `drain` may be a long time off
    sent.catch(this.#onFailure);
    this.#underWay.push({ sent, elements: message.length });
    this.#elements += message.length;
  }

  /** Resolves when the peer has taken all. */
  async drain(): Promise<void> {
    while (this.busy) await this.#oldest();
  }

  async #oldest(): Promise<void> {
    await this.#underWay[0]?.sent;
    this.#elements -= this.#underWay.shift()?.elements ?? 0;
    this.#onProgress();
  }
}
