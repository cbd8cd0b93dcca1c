import { beforeAll, expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type WasmRuntime, wasmRuntime } from "../../../src/runtime/wasm-runtime.ts";
import { chain, chainAnswer, float32, uniform } from "./models.ts";

const MIB = 1 << 20;
const WIDTH = 64;

let compiled: WebAssembly.Module;
beforeAll(async () => {
  const file = fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  compiled = await WebAssembly.compile(await readFile(file));
});

const runtime = (maxHeapBytes = 64 * MIB) =>
  wasmRuntime({
    name: "test",
    module: async () => compiled,
    maxHeapBytes,
    maxTotalBytes: Infinity,
    maxModelBytes: 1e9,
  });

/** Runs a resident chain of layers; how often its bytes were asked for. */
function resident(subject: WasmRuntime, layers: number, width = WIDTH) {
  let asked = 0;
  const run = async (seed: number) => {
    const x = uniform(width, 1, seed);
    const model = async () => {
      asked++;
      return await chain(layers, width);
    };
    const { y } = await subject.runResident(`${layers}/${width}`, model, {
      x: float32([1, width], x),
    });
    const values = new Float32Array(y?.bytes.slice().buffer ?? new ArrayBuffer(0));
    const answer = chainAnswer(layers, width, x);
    expect(values.length).toBe(width);
    values.forEach((value, i) => expect(value).toBeCloseTo(answer[i] ?? NaN, 4));
  };
  return { run, asked: () => asked };
}

it("a resident model is loaded once for many runs, beside others", async () => {
  const subject = runtime();
  const [two, three] = [resident(subject, 2), resident(subject, 3)];
  for (let seed = 0; seed < 5; seed++) {
    await two.run(seed);
    await three.run(seed);
  }
  expect([two.asked(), three.asked()]).toEqual([1, 1]);
});

it("callers at once load it no more than needed, and each gets its own answer", async () => {
  const subject = runtime();
  const two = resident(subject, 2);
  await Promise.all([1, 2, 3, 4].map(async (seed) => await two.run(seed)));
  expect(two.asked()).toBeLessThanOrEqual(4);
  await two.run(5);
  const before = two.asked();
  await two.run(6);
  expect(two.asked()).toBe(before);
});

it("it gives way to a session that is loaded, and comes back", async () => {
  const subject = runtime();
  const two = resident(subject, 2);
  await two.run(1);
  const session = await subject.load(await chain(3, WIDTH));
  let isReleased = false;
  const waiting = two.run(2).then(() => expect(isReleased).toBe(true));
  await session.run({ x: float32([1, WIDTH], uniform(WIDTH, 1, 9)) });
  isReleased = true;
  await session.release();
  await waiting;
  expect(two.asked()).toBe(2);
});

it("where memory is short the others go", async () => {
  const subject = runtime(40 * MIB);
  const [small, large] = [resident(subject, 2), resident(subject, 3, 1000)];
  const other = resident(subject, 2, 1000);
  await small.run(1);
  await large.run(1);
  await other.run(1);
  await large.run(2);
  await small.run(2);
  expect(subject.heapBytes).toBeLessThanOrEqual(40 * MIB);
});

it("a model that does not load says why, and others still run", async () => {
  const subject = runtime();
  const bad = subject.runResident("bad", async () => new Uint8Array([1, 2, 3]), {});
  await expect(bad).rejects.toThrow(/could not load the model/);
  await resident(subject, 2).run(1);
});
