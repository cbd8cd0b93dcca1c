/** @file Files of a few megabytes with a million fields: what they may take of memory and time. */
import { describe, expect, it } from "vitest";
import { checkModel } from "../../../src/graph/check.ts";
import { OPERATORS } from "../../../src/compress/operator-table.ts";
import { OnnxError } from "../../../src/onnx/errors.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { type ByteSource, MemorySource } from "../../../src/onnx/source.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { chunk, float, int, model, node, text, varint } from "./bytes.ts";

const GOOD = model();
const SECONDS = 5_000;

/** `inner` as field `fields[0]` of … of a message that is field `fields.at(-1)` of a model that is good otherwise. */
function within(fields: readonly number[], inner: Uint8Array, head: readonly number[] = []) {
  let bytes = joined([Uint8Array.from(head), inner]);
  for (const field of fields.toReversed()) {
    bytes = joined([Uint8Array.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
  }
  return joined([GOOD, bytes]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function times(unit: readonly number[], count: number): Uint8Array {
  const bytes = new Uint8Array(unit.length * count);
  for (let at = 0; at < bytes.length; at += unit.length) bytes.set(unit, at);
  return bytes;
}

/** Like a file: all but what is in memory goes through the scan. */
class NotInMemory implements ByteSource {
  readonly #bytes: Uint8Array;
  readonly size: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.size = bytes.length;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }
}

const read = async (source: ByteSource) => {
  const result = await readModel(source);
  checkModel(result, OPERATORS);
  return result;
};

/** Fields that lead to a message, what it begins with, and what it then holds a million times. */
const MESSAGES: Readonly<Record<string, [number[], number[], number[]]>> = {
  "dims of a tensor": [[7, 5], [...int(2, 1), ...text(8, "q")], int(1, 1)],
  "strings of a tensor": [[7, 5], [...int(2, 8), ...text(8, "q")], chunk(6, [])],
  "entries of external data": [[7, 5], [...int(2, 1), ...text(8, "q")], chunk(13, [])],
  "integers of an attribute": [[7, 1, 5], [...text(1, "a"), ...int(20, 7)], chunk(8, [1, 1, 1])],
  "strings of an attribute": [[7, 1, 5], [...text(1, "a"), ...int(20, 8)], chunk(9, [])],
  "graphs of an attribute": [[7, 1, 5], [...text(1, "a"), ...int(20, 10)], chunk(11, [])],
  "types of an attribute": [[7, 1, 5], [...text(1, "a"), ...int(20, 14)], chunk(15, [])],
  "attributes of a node": [[7, 1], text(4, "Relu"), chunk(5, text(1, "a"))],
  "inputs of a node": [[7, 1], text(4, "Max"), text(1, "")],
  "outputs of a node": [[7, 1], text(4, "Split"), text(2, "")],
  "metadata of a node": [[7, 1], text(4, "Relu"), chunk(9, [])],
  "unknown fields between known ones": [[7, 13], [], [...text(1, ""), ...int(900, 1)]],
  "dimensions of a value": [[7, 13, 2, 1, 2], [], chunk(1, [])],
  "pieces of a graph": [[], [], chunk(7, [])],
  functions: [[], [], chunk(25, [])],
  "inputs of a function": [[25], [], text(4, "")],
  opsets: [[], [], chunk(8, [])],
  metadata: [[], [], chunk(14, [])],
};

describe("a million of one thing in a few megabytes pass a limit", () => {
  for (const [what, [fields, head, unit]] of Object.entries(MESSAGES)) {
    it(what, { timeout: SECONDS }, async () => {
      const bytes = within(fields, times(unit, 1_500_000), head);
      for (const source of [new MemorySource(bytes), new NotInMemory(bytes)]) {
        const error = await read(source).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(OnnxError);
        expect(error).toMatchObject({ code: "limit_exceeded" });
        expect((error as OnnxError).offset).toBeGreaterThan(GOOD.length);
      }
    });
  }
});

describe("a million of one thing that costs little is read", () => {
  const MILLION = 1_000_000;
  for (const [what, type, unit, element] of [
    ["int32 one by one", 6, int(5, 3), [3, 0, 0, 0]],
    ["int64 one by one", 7, int(7, 3), [3, 0, 0, 0, 0, 0, 0, 0]],
    ["float32 one by one", 1, float(4, 2), [0, 0, 0, 64]],
    ["float32 in packs of one", 1, chunk(4, [0, 0, 0, 64]), [0, 0, 0, 64]],
  ] as const) {
    it(what, { timeout: SECONDS }, async () => {
      const head = [...int(1, MILLION), ...int(2, type), ...text(8, "q")];
      const bytes = within([7, 5], times(unit, MILLION), head);
      for (const source of [new MemorySource(bytes), new NotInMemory(bytes)]) {
        const tensor = (await read(source)).graph.initializers.get("q");
        const data = tensor ? await readAll(tensor.data) : new Uint8Array(0);
        expect(Buffer.compare(data, times(element, MILLION))).toBe(0);
      }
    });
  }

  it("a graph in pieces, each with an unknown field", { timeout: SECONDS }, async () => {
    const piece = chunk(900, [...times([7], 300)]);
    const bytes = joined([GOOD, times(chunk(7, piece), 40_000)]);
    const { graph } = await read(new MemorySource(bytes));
    expect(graph.unknown?.length).toBe(40_000 * piece.length);
  });
});

it("numbers that are too long or cut off in tensor data are refused where it is read later", async () => {
  const entries = (last: number[]) => {
    const data = joined([times([1], 5000), Uint8Array.from(last)]);
    const packed = [...varint(5 * 8 + 2), ...varint(data.length)];
    const head = [...int(1, 5000), ...int(2, 6), ...text(8, "q"), ...packed];
    return new MemorySource(within([7, 5], data, head));
  };
  await expect(read(entries(Array.from({ length: 11 }, () => 0x80)))).rejects.toThrow("10 bytes");
  await expect(read(entries([0x80]))).rejects.toThrow("within a number");
});

it("training information keeps its large weights", async () => {
  const weight = [
    ...int(1, 1000),
    ...int(2, 1),
    ...text(8, "t"),
    ...chunk(9, [...times([7], 4000)]),
  ];
  const training = chunk(20, chunk(1, chunk(5, weight)));
  const bytes = joined([GOOD, Uint8Array.from(training)]);
  const { unknown } = await read(new NotInMemory(bytes));
  expect(unknown).toEqual(Uint8Array.from(training));
});

it("an attribute with two tensors is refused", async () => {
  const tensor = chunk(5, [...int(1, 0), ...int(2, 1)]);
  const attribute = chunk(5, [...text(1, "value"), ...tensor, ...tensor, ...int(20, 4)]);
  const bytes = model({ nodes: [node("Constant", [], ["y"], attribute)] });
  await expect(read(new MemorySource(bytes))).rejects.toThrow('attribute "value" has two values');
});
