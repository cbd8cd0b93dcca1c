/** @file A rank's gradients by a runner, from one end of the line to the other: in float32 and in 16 bits, on the native build. */
import { afterEach, describe, expect, it } from "vitest";
import { Arena } from "../../../src/kernels/arena.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { GradientPeer } from "../../../src/runner/gradient-peer.ts";
import type { Line } from "../../../src/runner/line.ts";
import { performOn } from "../../../src/runner/perform.ts";
import type { LineCodec } from "../../../src/runner/vector-encoding.ts";
import type { Batch } from "../../../src/train/executor.ts";
import type { StepPlan } from "../../../src/train/step-plan.ts";
import golden from "../../goldens/train/steps.json" with { type: "json" };
import { nativeRuntime } from "../runtime/native.ts";
import { batchesOf, open, plan, type Run } from "../train/plans.ts";

const arena = await Arena.create(await kernelModule(), 1 << 20);
const perform = performOn([{ backend: "cpu", name: "here", runtime: nativeRuntime() }]);
/** Of a net with BatchNormalization, whose running statistics lie behind the parameters. */
const run: Run = golden.conv;
const batches: Batch[] = batchesOf(run).map((fields, i) => ({
  rows: run.batches[i]?.y.length ?? NaN,
  fields,
  seed: 0,
}));

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

interface Connected {
  peer: GradientPeer;
  /** Bytes of data to the runner, and from it. */
  bytes: { there: number; back: number };
}

/** A rank's end of a line to a runner of this process. */
async function connect(built: StepPlan, codec: LineCodec): Promise<Connected> {
  const [step, evaluate] = [await modelBytes(built.step), await modelBytes(built.evaluate)];
  const bytes = { there: 0, back: 0 };
  const messages: (string | ArrayBuffer)[] = [];
  let wake = () => {};
  const line: Line = {
    async next() {
      for (;;) {
        const message = messages.shift();
        if (message !== undefined) return message;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    async send(message) {
      if (typeof message !== "string") bytes.back += message.length;
      peer.hear(typeof message === "string" ? message : message.slice().buffer);
    },
    close: () => undefined,
  };
  const peer = new GradientPeer({
    layout: built.layout,
    codec,
    arena,
    line: {
      send(message) {
        if (typeof message !== "string") bytes.there += message.length;
        messages.push(typeof message === "string" ? message : message.slice().buffer);
        wake();
      },
      close: () => undefined,
    },
    firstMs: 60_000,
    runMs: 60_000,
  });
  const source = (of: Uint8Array) => ({ url: "", bytes: of.length, sha256: "0".repeat(64) });
  const sources = { step: source(step), evaluate: source(evaluate) };
  const done = perform(
    { id: "task", kind: "gradient", lease: 1, spec: { link: "" }, sources, targets: {} },
    {
      signal: new AbortController().signal,
      onProgress: () => undefined,
      read: async (wanted) => new Uint8Array(wanted === sources.step ? step : evaluate),
      write: async () => undefined,
      openLine: async () => line,
      kernels: kernelModule,
    },
  );
  ends.push(async () => {
    peer.release();
    await done;
  });
  await peer.ready;
  return { peer, bytes };
}

/** SGD on the golden's batches, over and over. */
async function train(built: StepPlan, { peer }: Connected, steps: number) {
  const { layout } = built;
  const vector = await built.initial();
  const into = new Float32Array(layout.length);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const batch = batches[step % batches.length];
    if (!batch) throw new Error("no batch");
    losses.push((await peer.gradients(vector, batch, into, false)).loss);
    for (const [i, value] of into.entries()) {
      vector[i] = i < layout.parameters ? (vector[i] ?? NaN) - run.lr * value : value;
    }
  }
  const [first] = batches;
  const evaluated = first && (await peer.evaluate(vector, first, false));
  return { vector, losses, evaluated: evaluated?.loss ?? NaN };
}

const built = await plan(await open("conv"), run.row);
const STEPS = 24;
const CODECS = ["none", "float16", "bfloat16"] as const;
const straight = (async () => await train(built, await connect(built, "none"), STEPS))();

describe.each(CODECS)("%s", (codec) => {
  it("trains to the loss of float32, and the same bytes each time", async () => {
    const once = await train(built, await connect(built, codec), STEPS);
    const again = await train(built, await connect(built, codec), STEPS);
    const plain = await straight;
    expect(new Uint8Array(once.vector.buffer)).toEqual(new Uint8Array(again.vector.buffer));
    expect(once.losses).toEqual(again.losses);
    const tolerance = { none: 0, float16: 2e-3, bfloat16: 2e-2 }[codec];
    for (const [step, loss] of plain.losses.entries()) {
      expect(Math.abs((once.losses[step] ?? NaN) - loss)).toBeLessThanOrEqual(tolerance);
    }
    expect(Math.abs(once.evaluated - plain.evaluated)).toBeLessThanOrEqual(tolerance);
    // Not because nothing was rounded.
    expect(once.vector.every((value, i) => value === plain.vector[i])).toBe(codec === "none");
  });

  it("sends two bytes of each parameter where it has 16 bits, and four of what lies behind them", async () => {
    const connected = await connect(built, codec);
    const { length, parameters } = built.layout;
    expect(length).toBeGreaterThan(parameters);
    await train(built, connected, 1);
    const { there, back } = { ...connected.bytes };
    await train(built, connected, 2);
    const width = codec === "none" ? 4 : 2;
    const vectorBytes = width * parameters + 4 * (length - parameters);
    const batchBytes = (index: number) =>
      Object.values(batches[index]?.fields ?? {}).reduce((sum, { bytes }) => sum + bytes.length, 0);
    // Three runs, with two fields each; headers of 16 bytes, twice where a vector has two parts.
    const parts = codec === "none" ? 1 : 2;
    const batch = 2 * batchBytes(0) + batchBytes(1) + 3 * 2 * 16;
    expect(connected.bytes.there - there).toBe(3 * (vectorBytes + 16 * parts) + batch);
    expect(connected.bytes.back - back).toBe(2 * (vectorBytes + 16 * parts));
  });
});
