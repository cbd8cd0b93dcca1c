/** @file A progress bar on stderr; nothing where stderr is no terminal. */

const WIDTH = 28;
/** Redraws are at least this far apart. */
const INTERVAL_MS = 80;

export class ProgressBar {
  readonly #label: string;
  #drawn = 0;

  constructor(label: string) {
    this.#label = label;
  }

  /** @param fraction 0 … 1, or `undefined` while the end is not known */
  update(fraction: number | undefined, note = ""): void {
    if (!process.stderr.isTTY) return;
    const now = Date.now();
    if (now - this.#drawn < INTERVAL_MS && fraction !== 1) return;
    this.#drawn = now;
    const filled = Math.round((fraction ?? 0) * WIDTH);
    const bar = "█".repeat(filled) + "░".repeat(WIDTH - filled);
    const percent = fraction === undefined ? "" : ` ${Math.round(fraction * 100)} %`;
    process.stderr.write(`\r\x1b[K${this.#label} ${bar}${percent} ${note}`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }
}
