/** @file Bad bytes: each gets an error that says what is wrong, and none makes the reader hang or allocate. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OPERATORS } from "../../../src/compress/operator-table.ts";
import { checkModel } from "../../../src/graph/check.ts";
import { OnnxError } from "../../../src/onnx/errors.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { type ByteSource, MemorySource } from "../../../src/onnx/source.ts";
import { planModel } from "../../../src/onnx/write-model.ts";
import { chunk, float, int, model, node, raw, tensor, text, value, varint } from "./bytes.ts";

/** The same bytes behind a source that is no `MemorySource`, so that the scan walks them. */
class RangeOnly implements ByteSource {
  readonly #bytes: Uint8Array;
  readonly size: number;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.size = bytes.length;
  }
  async read(offset: number, into: Uint8Array): Promise<void> {
    if (offset < 0 || offset + into.length > this.size)
      throw new Error("the reader went past the end");
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }
}

async function load(bytes: Uint8Array): Promise<void> {
  for (const source of [new MemorySource(bytes), new RangeOnly(bytes)]) {
    checkModel(await readModel(source), OPERATORS);
  }
}

async function refusal(bytes: Uint8Array): Promise<OnnxError> {
  const messages: OnnxError[] = [];
  for (const source of [new MemorySource(bytes), new RangeOnly(bytes)]) {
    try {
      checkModel(await readModel(source), OPERATORS);
    } catch (error) {
      if (!(error instanceof OnnxError)) throw error;
      messages.push(error);
      continue;
    }
    throw new Error("the bytes were accepted");
  }
  return messages[0] as OnnxError;
}

const ascii = (content: string) => new TextEncoder().encode(content);

describe("the good model that the bad ones are made of", () => {
  it("is accepted", async () => {
    await load(model());
  });
});

describe("other formats are named", () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ["nothing", new Uint8Array(0), /empty/],
    ["text", ascii("hello, world\n"), /text/],
    ["HTML", ascii("<!DOCTYPE html><html></html>"), /HTML/],
    ["JSON", ascii('{"error": "not found"}'), /JSON/],
    ["zip", ascii("PK\x03\x04rest of it"), /zip/],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0), /gzip/],
    [
      "a Git LFS pointer",
      ascii("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
      /Git LFS pointer/,
    ],
    ["safetensors", Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 0, ...ascii("{}")]), /safetensors/],
    ["tflite", Uint8Array.from([28, 0, 0, 0, ...ascii("TFL3"), 0, 0]), /TensorFlow Lite/],
    ["GGUF", ascii("GGUF\x03\x00\x00\x00"), /GGUF/],
  ];
  it.each(cases)("%s", async (_name, bytes, message) => {
    const error = await refusal(bytes);
    expect(error.code).toBe("not_onnx");
    expect(error.message).toMatch(message);
  });
});

describe("the wire", () => {
  const good = model();

  it("a file cut anywhere is refused, or is a shorter model", async () => {
    for (let length = 1; length < good.length; length++) {
      try {
        await load(good.slice(0, length));
      } catch (error) {
        expect(error, `cut at ${length}`).toBeInstanceOf(OnnxError);
      }
    }
  });

  it.each([
    ["2 GiB", 2 ** 31],
    ["2^63", 2n ** 63n],
    ["2^64 - 1", 2n ** 64n - 1n],
  ])("a length of %s passes the end of its message", async (_name, length) => {
    const bytes = Uint8Array.from([...int(1, 8), ...varint(7 * 8 + 2), ...varint(length), 1, 2, 3]);
    expect((await refusal(bytes)).code).toBe("truncated");
  });

  it("a varint of 11 bytes is too long", async () => {
    const bytes = Uint8Array.from([8, ...Array<number>(10).fill(0x80), 1]);
    expect((await refusal(bytes)).message).toMatch(/longer than 10 bytes/);
  });

  it.each([
    ["graph as varint", int(7, 1)],
    ["ir_version as bytes", chunk(1, [8])],
    ["group", [7 * 8 + 3]],
  ])("a wrong wire type is malformed: %s", async (_name, field) => {
    expect((await refusal(model({ model: field }))).code).toBe("malformed");
  });

  it("field number zero does not exist", async () => {
    expect((await refusal(model({ model: [0x02, 0] }))).code).toBe("malformed");
  });

  it("unknown fields are skipped, whatever their wire type", async () => {
    await load(
      model({
        model: [
          ...int(900, 5),
          ...text(901, "later"),
          ...float(902, 1),
          ...varint(903 * 8 + 1),
          ...raw([1, 2]),
        ],
      }),
    );
  });

  it("graphs nested too deep pass a limit", async () => {
    let body = [...chunk(1, node("Identity", ["x"], ["z"]))];
    for (let depth = 0; depth < 200; depth++) {
      const attribute = [...text(1, "then_branch"), ...chunk(6, body), ...int(20, 5)];
      body = chunk(1, node("If", ["c"], ["z"], chunk(5, attribute)));
    }
    expect((await refusal(model({ graph: body }))).code).toBe("limit_exceeded");
  });

  it("a million tiny nodes pass a limit", async () => {
    const tiny = chunk(1, text(4, "Relu"));
    const graph = new Uint8Array(tiny.length * 1_000_000);
    for (let at = 0; at < graph.length; at += tiny.length) graph.set(tiny, at);
    const head = [...int(1, 8), ...varint(7 * 8 + 2), ...varint(graph.length)];
    const bytes = new Uint8Array(head.length + graph.length);
    bytes.set(head);
    bytes.set(graph, head.length);
    expect((await refusal(bytes)).code).toBe("limit_exceeded");
  });
});

describe("tensors", () => {
  const withTensor = (...fields: number[][]) => model({ initializers: [fields.flat()] });
  const cases: [string, Uint8Array, RegExp][] = [
    [
      "data too short",
      withTensor(tensor("w", [2], chunk(9, raw([1])))),
      /raw_data has 4 bytes of "w", dims \[2\] of float32 need 8/,
    ],
    [
      "data too long",
      withTensor(tensor("w", [2], chunk(9, raw([1, 2, 3])))),
      /raw_data has 12 bytes/,
    ],
    ["no data", withTensor(tensor("w", [2], [])), /no data/],
    [
      "raw and typed data",
      withTensor(tensor("w", [1], [...chunk(9, raw([1])), ...chunk(4, raw([1]))])),
      /more than once/,
    ],
    [
      "data in another type's field",
      withTensor(tensor("w", [1], int(7, 1))),
      /int64_data, not float_data/,
    ],
    ["negative dims", withTensor(tensor("w", [-1], chunk(9, raw([1])))), /negative/],
    [
      "dims whose product overflows",
      withTensor(tensor("w", [2 ** 31, 2 ** 31, 2 ** 31], chunk(9, raw([1])))),
      /more elements/,
    ],
    [
      "a dim beyond 2^53",
      withTensor([...int(1, 2n ** 60n), ...int(2, 1), ...text(8, "w")]),
      /more elements/,
    ],
    ["an unknown data type", withTensor([...int(2, 99), ...text(8, "w")]), /data_type 99/],
    ["segments", withTensor(tensor("w", [1], chunk(3, []))), /segments/],
    [
      "external data that was not given",
      withTensor(
        tensor(
          "w",
          [1],
          [...chunk(13, [...text(1, "location"), ...text(2, "w.bin")]), ...int(14, 1)],
        ),
      ),
      /not given/,
    ],
    [
      "external data above the folder",
      withTensor(
        tensor(
          "w",
          [1],
          [...chunk(13, [...text(1, "location"), ...text(2, "a/../../w.bin")]), ...int(14, 1)],
        ),
      ),
      /leave the model's folder/,
    ],
    [
      "external data at an absolute path",
      withTensor(
        tensor(
          "w",
          [1],
          [...chunk(13, [...text(1, "location"), ...text(2, "/etc/passwd")]), ...int(14, 1)],
        ),
      ),
      /relative/,
    ],
    [
      "external data on a drive",
      withTensor(
        tensor(
          "w",
          [1],
          [...chunk(13, [...text(1, "location"), ...text(2, "C:\\w.bin")]), ...int(14, 1)],
        ),
      ),
      /relative/,
    ],
  ];
  it.each(cases)("%s", async (_name, bytes, message) => {
    expect((await refusal(bytes)).message).toMatch(message);
  });
});

describe("graphs", () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ["no graph", Uint8Array.from(int(1, 8)), /no graph/],
    ["no opset", Uint8Array.from([...int(1, 8), ...chunk(7, text(2, "g"))]), /imports no opset/],
    ["an opset twice", model({ model: chunk(8, int(2, 13)) }), /imported twice/],
    ["a future opset", model({ opset: 9999 }), /opset 9999 is newer/],
    ["opset zero", model({ opset: 0 }), /opset 0/],
    ["no ir_version", model({ ir: 0 }), /ir_version is missing/],
    ["a future IR", model({ ir: 99 }), /IR version 99 is newer/],
    [
      "an unknown op",
      model({ nodes: [node("Frobnicate", ["x"], ["y"])] }),
      /no operator "Frobnicate"/,
    ],
    [
      "an op of a later opset",
      model({ nodes: [node("Gelu", ["x"], ["y"])] }),
      /"Gelu" does not exist yet/,
    ],
    [
      "an op of a domain that is not imported",
      model({ nodes: [node("Foo", ["x"], ["y"], text(7, "com.acme"))] }),
      /does not import/,
    ],
    [
      "a node that reads itself",
      model({ nodes: [node("Add", ["x", "y"], ["y"])] }),
      /its own output/,
    ],
    [
      "a cycle",
      model({
        nodes: [
          node("Add", ["x", "b"], ["a"]),
          node("Relu", ["a"], ["b"]),
          node("Relu", ["b"], ["y"]),
        ],
      }),
      /cycle/,
    ],
    ["a missing initializer", model({ initializers: [] }), /reads "w", which is no input/],
    [
      "an output twice",
      model({ nodes: [node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])] }),
      /defined twice/,
    ],
    [
      "an initializer twice",
      model({
        initializers: [tensor("w", [], chunk(9, raw([1]))), tensor("w", [], chunk(9, raw([1])))],
      }),
      /defined twice/,
    ],
    ["an input twice", model({ inputs: [value("x"), value("x")] }), /defined twice/],
    ["an output that nothing makes", model({ outputs: [value("z")] }), /output "z"/],
    ["a node without a type", model({ nodes: [text(1, "x")] }), /no op_type/],
    [
      "an attribute without a value",
      model({ nodes: [node("Relu", ["x"], ["y"], chunk(5, [...text(1, "t"), ...int(20, 4)]))] }),
      /no value/,
    ],
  ];
  it.each(cases)("%s", async (_name, bytes, message) => {
    expect((await refusal(bytes)).message).toMatch(message);
  });

  it("two functions that call each other never end", async () => {
    const definition = (name: string, calls: string) =>
      chunk(25, [
        ...text(1, name),
        ...text(4, "a"),
        ...text(5, "b"),
        ...text(10, "f"),
        ...chunk(9, [...text(1, "f"), ...int(2, 1)]),
        ...chunk(7, node(calls, ["a"], ["b"], text(7, "f"))),
      ]);
    const bytes = model({
      model: [
        ...definition("F", "G"),
        ...definition("G", "F"),
        ...chunk(8, [...text(1, "f"), ...int(2, 1)]),
      ],
    });
    expect((await refusal(bytes)).message).toMatch(/calls itself/);
  });
});

describe("mutations of a good model", () => {
  const good = model({
    nodes: [
      node(
        "Constant",
        [],
        ["c"],
        chunk(5, [
          ...text(1, "value"),
          ...chunk(5, tensor("", [2], chunk(4, raw([3, 4])))),
          ...int(20, 4),
        ]),
      ),
      node("Add", ["x", "w"], ["t"]),
      node("Mul", ["t", "c"], ["y"]),
    ],
  });

  it("end in a model that can be written, or in an OnnxError", async () => {
    const mutation = fc.record({
      at: fc.nat(good.length - 1),
      byte: fc.integer({ min: 0, max: 255 }),
      kind: fc.constantFrom("replace", "insert", "remove"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (mutations) => {
        const bytes = [...good];
        for (const { at, byte, kind } of mutations) {
          if (kind === "remove") bytes.splice(at, 1);
          else bytes.splice(at, kind === "replace" ? 1 : 0, byte);
        }
        for (const source of [
          new MemorySource(Uint8Array.from(bytes)),
          new RangeOnly(Uint8Array.from(bytes)),
        ]) {
          try {
            const read = await readModel(source);
            checkModel(read, OPERATORS);
            await planModel(read).write({ write: () => undefined });
          } catch (error) {
            expect(error).toBeInstanceOf(OnnxError);
          }
        }
      }),
      { numRuns: 1500 },
    );
  });
});
