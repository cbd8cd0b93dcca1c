/** @file Frames to a runner, no faster than it takes them. */

/** What may be under way to the runner without its word that it took it. */
const WINDOW_BYTES = 8 << 20;

export class LineWindow {
  readonly #transmit: (frame: Uint8Array<ArrayBuffer>) => void;
  #sent = 0;
  #taken = 0;
  #wake = () => {};
  #error: Error | undefined;

  constructor(transmit: (frame: Uint8Array<ArrayBuffer>) => void) {
    this.#transmit = transmit;
  }

  /** @throws Error once the line has failed */
  async send(frame: Uint8Array<ArrayBuffer>): Promise<void> {
    while (!this.#error && this.#sent - this.#taken > WINDOW_BYTES) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error) throw this.#error;
    this.#sent += frame.length;
    this.#transmit(frame);
  }

  /** @param bytes that the runner took, of all so far. @throws RangeError for what cannot be */
  took(bytes: number): void {
    if (bytes < this.#taken || bytes > this.#sent) {
      throw new RangeError(`link: ${bytes} bytes were taken, ${this.#sent} were sent`);
    }
    this.#taken = bytes;
    this.#wake();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }
}
