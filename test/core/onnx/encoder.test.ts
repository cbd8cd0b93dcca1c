/** @file What a plan holds while its file is not written: bytes where they are, long lists as numbers. */
import { expect, test } from "vitest";
import { makeFloats, makeInts } from "../../../src/graph/attributes.ts";
import { makeNode } from "../../../src/graph/build.ts";
import { encodeNode } from "../../../src/onnx/encode-graph.ts";
import { Encoder } from "../../../src/onnx/encoder.ts";
import type { Attribute } from "../../../src/onnx/model.ts";
import { MemorySink } from "../../../src/onnx/source.ts";

const inline = (): undefined => undefined;

async function written(message: Encoder): Promise<Uint8Array> {
  const sink = new MemorySink(message.byteLength);
  await message.write(sink);
  return sink.bytes;
}

/** A node's attribute, two messages further out. */
function planned(attribute: Attribute): Encoder {
  const node = makeNode("Abs", ["x"], ["y"], { attributes: [attribute] });
  const graph = new Encoder();
  graph.message(1, encodeNode(node, inline));
  const model = new Encoder();
  model.message(7, graph);
  return model;
}

const COUNT = 300_000;
const ints = makeInts(
  "a",
  Array.from({ length: COUNT }, (_, i) => BigInt(i) ** 3n * (i % 5 === 0 ? -1n : 1n)),
);
const floats = makeFloats(
  "a",
  Array.from({ length: COUNT }, (_, i) => i / 7),
);

test.each([ints, floats])("the plan of a long list of $type holds no copy of it", (attribute) => {
  const before = process.memoryUsage().arrayBuffers;
  const plans = Array.from({ length: 6 }, () => planned(attribute));
  const held = process.memoryUsage().arrayBuffers - before;
  expect(plans[0]?.byteLength).toBeGreaterThan(COUNT * 5);
  expect(held).toBeLessThan(COUNT * 5);
});

test.each([ints, floats])(
  "a long list of $type is written as its numbers one by one",
  async (attribute) => {
    const { value } = attribute as { value: readonly (number | bigint)[] };
    const body = new Encoder();
    body.text(1, "a");
    for (const each of value) {
      if (typeof each === "bigint") body.int(8, each);
      else body.float(7, each);
    }
    body.int(20, attribute.type === "ints" ? 7 : 6);
    const node = new Encoder();
    node.text(1, "x");
    node.text(2, "y");
    node.text(4, "Abs");
    node.message(5, body);
    const graph = new Encoder();
    graph.message(1, node);
    const model = new Encoder();
    model.message(7, graph);
    const [ours, theirs] = [await written(planned(attribute)), await written(model)];
    expect(Buffer.compare(ours, theirs)).toBe(0);
  },
);

test("bytes of all lengths, in messages within messages, come out in order", async () => {
  const expected: number[] = [];
  const outer = new Encoder();
  for (let round = 0; round < 40; round++) {
    const inner = new Encoder();
    for (const length of [0, 1, 63, 64, 65, 5_000, 16_384, 16_385]) {
      const bytes = new Uint8Array(length).fill(round + length);
      inner.raw(bytes);
    }
    const bytes = await written(inner);
    outer.message(1, inner);
    expected.push(
      0x0a,
      (bytes.length & 127) | 128,
      ((bytes.length >> 7) & 127) | 128,
      bytes.length >> 14,
    );
    for (const byte of bytes) expected.push(byte);
  }
  expect(outer.byteLength).toBe(expected.length);
  expect(Buffer.compare(await written(outer), Uint8Array.from(expected))).toBe(0);
});
