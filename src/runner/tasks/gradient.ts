/**
 * @file The compute of one rank: its step's and evaluation's graphs on this device, fed over a line to the rank until
 * the rank is done. The vector stays on the device between runs.
 */
import { z } from "zod";
import { DataType } from "../../onnx/data-type.ts";
import {
  isResident,
  type ResidentOutputs,
  type ResidentRuntime,
  type ResidentSession,
  type ResidentTensors,
} from "../../runtime/resident.ts";
import type { HostTensor } from "../../runtime/runtime.ts";
import { CORRECT, COUNT, LOSS, SEED } from "../../train/step-plan.ts";
import {
  emptyFrame,
  type Frame,
  FRAME,
  type LinkEntry,
  type LinkRun,
  parseLinkText,
  readFrame,
  ToRunner,
  type ToRank,
} from "../gradient-link.ts";
import type { TaskProgram } from "../perform.ts";
import type { Task } from "../protocol.ts";
import { TaskFault, type TaskKit } from "../task-kit.ts";
import { readSpec, requireSource } from "./spec.ts";

export const GradientSpec = z.object({
  backend: z.string().optional(),
  /** Where the rank is to be reached. */
  link: z.string().max(4000),
});

/** A layout of a very large model; what a rank says of itself is believed as far as memory goes. */
const MAX_TEXT = 16 << 20;
const PROGRESS_MS = 1_000;

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
          compute.begin(said.entries);
          await line.send(JSON.stringify({ type: "ready" } satisfies ToRank));
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

interface Awaited {
  run: LinkRun;
  fields: Uint8Array<ArrayBuffer>[];
  /** Bytes still to come. */
  left: number;
  /** Bytes of the vector, and of each field, that came. */
  vectorBytes: number;
  fieldBytes: number[];
}

/** Holds the sessions, the residents and the batch that is coming in. */
class Compute {
  readonly #runtime: ResidentRuntime;
  readonly #task: Task;
  readonly #kit: TaskKit;
  readonly #step: ResidentSession;
  #evaluate: ResidentSession | undefined;
  #entries: LinkEntry[] = [];
  #length = 0;
  #residents: ResidentTensors | undefined;
  #awaited: Awaited | undefined;
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

  begin(entries: LinkEntry[]): void {
    this.#residents?.dispose();
    this.#entries = entries;
    this.#length = entries.reduce((sum, { length }) => sum + length, 0);
    this.#residents = this.#runtime.allocate(entries);
  }

  expect(run: LinkRun): void {
    const vector = run.vector ? 4 * this.#length : 0;
    this.#awaited = {
      run,
      fields: run.fields.map(({ bytes }) => new Uint8Array(bytes)),
      left: run.fields.reduce((sum, { bytes }) => sum + bytes, vector),
      vectorBytes: 0,
      fieldBytes: run.fields.map(() => 0),
    };
  }

  took(): Extract<ToRank, { type: "took" }> {
    return { type: "took", bytes: this.#taken };
  }

  isComplete(): boolean {
    return this.#awaited?.left === 0;
  }

  take({ type, run, index, offset, bytes }: Frame): void {
    const awaited = this.#awaited;
    if (!awaited || run !== awaited.run.run) throw new RangeError(`link: run ${run} is not open`);
    if (type === FRAME.vector) {
      if (offset !== awaited.vectorBytes || offset + bytes.length > 4 * this.#length) {
        throw new RangeError(`link: the vector goes on at ${offset}`);
      }
      this.#write(offset, bytes);
      awaited.vectorBytes += bytes.length;
    } else {
      const field = awaited.fields[index];
      const have = awaited.fieldBytes[index];
      if (!field || have !== offset || offset + bytes.length > field.length) {
        throw new RangeError(`link: field ${index} goes on at ${offset}`);
      }
      field.set(bytes, offset);
      awaited.fieldBytes[index] = have + bytes.length;
    }
    awaited.left -= bytes.length;
    this.#taken += bytes.buffer.byteLength;
  }

  /** A stretch of the vector to the entries that it is of. */
  #write(start: number, bytes: Uint8Array<ArrayBuffer>): void {
    const end = start + bytes.length;
    for (const { name, offset, length } of this.#entries) {
      const from = Math.max(start, 4 * offset);
      const to = Math.min(end, 4 * (offset + length));
      if (from >= to) continue;
      this.#residents?.write(name, from - 4 * offset, bytes.subarray(from - start, to - start));
    }
  }

  /** Computes what came in, and gives the messages that are the answer; gradients as they are read from the device. */
  async *run(): AsyncGenerator<string | Uint8Array<ArrayBuffer>> {
    const awaited = this.#awaited;
    const residents = this.#residents;
    if (!awaited || !residents) throw new RangeError("link: a run before its beginning");
    this.#awaited = undefined;
    const { run, what, rows } = awaited.run;
    const session = what === "gradients" ? this.#step : await this.#evaluation();
    const outputs = await session.run(feedsOf(session, awaited), residents);
    try {
      if (what === "gradients") yield* this.#gradients(outputs, run);
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

  /** In the layout's order, one after the other in frames that are full but for the last. */
  async *#gradients(
    outputs: ResidentOutputs,
    run: number,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    let offset = 0;
    let { frame, data } = emptyFrame(FRAME.gradient, { run, offset });
    let filled = 0;
    for (const { gradient: name, length } of this.#entries) {
      const output = await outputs.read(name);
      if (output?.bytes.length !== 4 * length) {
        throw new TaskFault(
          `output "${name}" has ${output?.bytes.length ?? "no"} bytes, ${4 * length} are needed`,
        );
      }
      for (let at = 0; at < output.bytes.length;) {
        // A copy, since the output's memory is ONNX Runtime's.
        const part = output.bytes.subarray(at, at + data.length - filled);
        data.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < data.length) continue;
        yield frame;
        offset += filled;
        filled = 0;
        ({ frame, data } = emptyFrame(FRAME.gradient, { run, offset }));
      }
    }
    if (filled > 0) yield frame.subarray(0, frame.length - data.length + filled);
  }

  /** Loaded when it is first asked for. */
  async #evaluation(): Promise<ResidentSession> {
    if (this.#evaluate) return this.#evaluate;
    const bytes = await this.#kit.read(requireSource(this.#task, "evaluate"));
    return (this.#evaluate = await this.#runtime.loadResident(bytes));
  }

  async release(): Promise<void> {
    this.#residents?.dispose();
    await this.#step.release();
    await this.#evaluate?.release();
  }
}

function feedsOf(
  { inputNames }: ResidentSession,
  { run: { fields, seed }, fields: bytes }: Awaited,
): Record<string, HostTensor> {
  const feeds: Record<string, HostTensor> = {};
  for (const [index, { name, data_type: dataType, dims }] of fields.entries()) {
    const data = bytes[index];
    if (data && inputNames.includes(name)) {
      feeds[name] = { dataType: dataType as DataType, dims, bytes: data };
    }
  }
  if (inputNames.includes(SEED)) {
    const data = new Uint8Array(BigInt64Array.of(BigInt(seed)).buffer);
    feeds[SEED] = { dataType: DataType.int64, dims: [1], bytes: data };
  }
  return feeds;
}

async function scalar(outputs: ResidentOutputs, name: string): Promise<number | undefined> {
  const tensor = await outputs.read(name);
  if (!tensor || tensor.bytes.length !== 4) return undefined;
  const value = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset).getFloat32(0, true);
  // JSON makes null of NaN and infinities.
  return value;
}
