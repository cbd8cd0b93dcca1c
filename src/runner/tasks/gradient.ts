/**
 * @file The compute of one rank: its step's and evaluation's graphs on this device, fed over a line to the rank until
 * the rank is done. The vector stays on the device between runs.
 */
import { z } from "zod";
import { Arena } from "../../kernels/arena.ts";
import {
  isResident,
  type ResidentOutputs,
  type ResidentRuntime,
  type ResidentSession,
} from "../../runtime/resident.ts";
import { CORRECT, COUNT, LOSS } from "../../train/step-plan.ts";
import {
  type Frame,
  type LinkEntry,
  type LinkRun,
  parseLinkText,
  readFrame,
  ToRunner,
  type ToRank,
} from "../gradient-link.ts";
import type { TaskProgram } from "../perform.ts";
import type { Task } from "../protocol.ts";
import type { TaskKit } from "../task-kit.ts";
import { VectorEncoding } from "../vector-encoding.ts";
import { gradientFrames } from "./gradient-frames.ts";
import { IncomingRun } from "./incoming-run.ts";
import { ResidentVector } from "./resident-vector.ts";
import { readSpec, requireSource } from "./spec.ts";

export const GradientSpec = z.object({
  backend: z.string().optional(),
  /** Where the rank is to be reached. */
  link: z.string().max(4000),
});

/** A layout of a very large model; what a rank says of itself is believed as far as memory goes. */
const MAX_TEXT = 16 << 20;
const PROGRESS_MS = 1_000;
/** Scratch of a codec. */
const ARENA_BYTES = 1 << 20;

export const gradient: TaskProgram = async ({ runtime }, task, kit) => {
  const { link } = readSpec(GradientSpec, task);
  if (!isResident(runtime)) throw new Error("this runner's runtime keeps no weights");
  kit.onProgress(0, "loading the step");
  const step = await runtime.loadResident(await kit.read(requireSource(task, "step")));
  const compute = new Compute(runtime, task, kit, step);
  const line = await kit.openLine(link, kit.signal);
  try {
    for (;;) {
      const data = await line.next();
      if (typeof data !== "string") {
        compute.take(readFrame(data));
        await line.send(JSON.stringify(compute.took() satisfies ToRank));
      } else {
        const said = parseLinkText(ToRunner, data, MAX_TEXT);
        if (said.type === "release") break;
        if (said.type === "begin") {
          await compute.begin(said);
          await line.send(JSON.stringify({ type: "ready", codec: said.codec } satisfies ToRank));
        } else compute.expect(said);
      }
      if (compute.isComplete()) {
        for await (const message of compute.run()) await line.send(message);
      }
    }
    return { steps: compute.steps };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await line
      .send(JSON.stringify({ type: "failed", message: message.slice(0, 2000) }))
      .catch(() => undefined);
    throw error;
  } finally {
    line.close();
    await compute.release();
  }
};

type Begin = Extract<ToRunner, { type: "begin" }>;

/** What a rank has begun: its vector's layout, and where it lies. */
interface Begun {
  entries: LinkEntry[];
  encoding: VectorEncoding;
  vector: ResidentVector;
  residual: Float32Array;
}

/** Holds the sessions, the vector and the batch that is coming in. */
class Compute {
  readonly #runtime: ResidentRuntime;
  readonly #task: Task;
  readonly #kit: TaskKit;
  readonly #step: ResidentSession;
  #evaluate: ResidentSession | undefined;
  #begun: Begun | undefined;
  #incoming: IncomingRun | undefined;
  #taken = 0;
  #toldAt = 0;
  /** Gradients that were computed. */
  steps = 0;

  constructor(runtime: ResidentRuntime, task: Task, kit: TaskKit, step: ResidentSession) {
    this.#runtime = runtime;
    this.#task = task;
    this.#kit = kit;
    this.#step = step;
  }

  async begin({ entries, length, parameters, codec }: Begin): Promise<void> {
    const arena =
      codec === "none" ? undefined : await Arena.create(await this.#kit.kernels(), ARENA_BYTES);
    const encoding = new VectorEncoding({ length, parameters }, codec, arena);
    this.#begun?.vector.dispose();
    const vector = new ResidentVector(this.#runtime, entries, encoding);
    this.#begun = { entries, encoding, vector, residual: new Float32Array(encoding.coded) };
  }

  expect(run: LinkRun): void {
    if (!this.#begun) throw new RangeError("link: a run before its beginning");
    this.#incoming = new IncomingRun(run, this.#begun.vector, this.#begun.encoding);
  }

  took(): Extract<ToRank, { type: "took" }> {
    return { type: "took", bytes: this.#taken };
  }

  isComplete(): boolean {
    return this.#incoming?.isComplete ?? false;
  }

  take(frame: Frame): void {
    if (!this.#incoming) throw new RangeError(`link: run ${frame.run} is not open`);
    this.#incoming.take(frame);
    this.#taken += frame.bytes.buffer.byteLength;
  }

  /** Computes what came in, and gives the messages that are the answer; gradients as they are read from the device. */
  async *run(): AsyncGenerator<string | Uint8Array<ArrayBuffer>> {
    const incoming = this.#incoming;
    const begun = this.#begun;
    if (!incoming || !begun) throw new RangeError("link: a run before its beginning");
    this.#incoming = undefined;
    const { run, what, rows } = incoming.run;
    const session = what === "gradients" ? this.#step : await this.#evaluation();
    const outputs = await session.run(incoming.feeds(session), begun.vector.tensors);
    try {
      if (what === "gradients") yield* gradientFrames(outputs, { ...begun, run });
      const loss = await scalar(outputs, LOSS);
      const correct = await scalar(outputs, CORRECT);
      const count = await scalar(outputs, COUNT);
      const done: ToRank = {
        type: "done",
        run,
        loss: loss ?? null,
        correct: correct ?? null,
        count: count ?? rows,
      };
      yield JSON.stringify(done);
    } finally {
      outputs.dispose();
    }
    if (what === "gradients") this.steps++;
    if (Date.now() - this.#toldAt < PROGRESS_MS) return;
    this.#toldAt = Date.now();
    this.#kit.onProgress(0, `${this.steps} gradients`);
  }

  /** Loaded when it is first asked for. */
  async #evaluation(): Promise<ResidentSession> {
    if (this.#evaluate) return this.#evaluate;
    const bytes = await this.#kit.read(requireSource(this.#task, "evaluate"));
    return (this.#evaluate = await this.#runtime.loadResident(bytes));
  }

  async release(): Promise<void> {
    this.#begun?.vector.dispose();
    await this.#step.release();
    await this.#evaluate?.release();
  }
}

async function scalar(outputs: ResidentOutputs, name: string): Promise<number | undefined> {
  const tensor = await outputs.read(name);
  if (!tensor || tensor.bytes.length !== 4) return undefined;
  const value = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset).getFloat32(0, true);
  // JSON makes null of NaN and infinities.
  return value;
}
