/** @file What a rank's runner is fed with: batches, and the vector where it has changed. */
import type { Batch } from "../train/executor.ts";
import { FRAME, frames, type LinkRun, type ToRunner } from "./gradient-link.ts";
import { LineWindow } from "./line-window.ts";
import { SentVector } from "./sent-vector.ts";
import type { VectorEncoding } from "./vector-encoding.ts";

type Send = (message: string | Uint8Array<ArrayBuffer>) => void;

export class RunnerFeed {
  readonly #send: Send;
  readonly #window: LineWindow;
  readonly #vector: SentVector;

  constructor(encoding: VectorEncoding, send: Send) {
    this.#send = send;
    this.#window = new LineWindow(send);
    this.#vector = new SentVector(encoding);
  }

  /** @param unchanged the vector is that of the run before. @throws Error once the line has failed */
  async run(
    run: number,
    what: LinkRun["what"],
    { rows, seed, fields }: Batch,
    vector: Float32Array,
    unchanged: boolean,
  ): Promise<void> {
    const batch = Object.entries(fields);
    const withVector = !(unchanged && this.#vector.isThere);
    const message: ToRunner = {
      type: "run",
      run,
      what,
      rows,
      seed,
      vector: withVector,
      change: withVector && this.#vector.isChange,
      fields: batch.map(([name, { dataType, dims, bytes }]) => ({
        name,
        data_type: dataType,
        dims,
        bytes: bytes.length,
      })),
    };
    this.#send(JSON.stringify(message));
    for (const [index, [, { bytes }]] of batch.entries()) {
      for (const frame of frames(FRAME.field, { run, index }, bytes)) {
        await this.#window.send(frame);
      }
    }
    if (!withVector) return;
    for (const frame of this.#vector.frames(run, vector)) await this.#window.send(frame);
  }

  /** @throws RangeError for what the runner cannot have taken */
  took(bytes: number): void {
    this.#window.took(bytes);
  }

  fail(error: Error): void {
    this.#window.fail(error);
  }
}
