import { describe, expect, it } from "vitest";
import { zipSync } from "fflate";
import { parseFields } from "../../../src/data/field-spec.ts";
import { readDataset, type ReadOptions } from "../../../src/data/read-dataset.ts";
import type { ByteSource } from "../../../src/onnx/source.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { decompressors, golden } from "./reading.ts";

const MB = 1 << 20;

/** What one moment holds: the largest read and write, and how much came out in all. */
async function watch(source: ByteSource, options: Partial<ReadOptions> = {}) {
  const seen = { read: 0, written: 0, bytes: 0 };
  const watched: ByteSource = {
    size: source.size,
    read: async (offset, into) => {
      if (offset + into.length > source.size) throw new RangeError("read past the end");
      seen.read = Math.max(seen.read, into.length);
      await source.read(offset, into);
    },
  };
  const plan = await readDataset(watched, { decompressors, ...options });
  for (const pass of plan.passes) {
    const write = (bytes: Uint8Array) => {
      seen.written = Math.max(seen.written, bytes.length);
      seen.bytes += bytes.length;
    };
    await pass.write(pass.fields.map(() => ({ write })));
  }
  return seen;
}

/** A head and then zeros, which are not there until they are read. */
function sparse(head: Uint8Array, size: number): ByteSource {
  return {
    size,
    read: async (offset, into) => {
      into.fill(0);
      if (offset < head.length) into.set(head.subarray(offset, offset + into.length));
    },
  };
}

function safetensorsHead(rows: number): Uint8Array {
  const header = { x: { dtype: "U8", shape: [rows, MB], data_offsets: [0, rows * MB] } };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(8 + text.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(text.length), true);
  head.set(text, 8);
  return head;
}

function npyHead(rows: number): Uint8Array {
  const dict = `{'descr': '|u1', 'fortran_order': False, 'shape': (${rows}, ${MB}), }`.padEnd(117);
  return Uint8Array.of(0x93, ...new TextEncoder().encode(`NUMPY\x01\0v\0${dict}\n`));
}

describe("200 MB pass through in pieces", () => {
  it("of safetensors", async () => {
    const head = safetensorsHead(200);
    const seen = await watch(sparse(head, head.length + 200 * MB));
    expect(seen).toEqual({ read: MB, written: MB, bytes: 200 * MB });
  });

  it("of .npy", async () => {
    const head = npyHead(200);
    const seen = await watch(sparse(head, head.length + 200 * MB));
    expect(seen.read).toBe(MB);
    expect(seen.bytes).toBe(200 * MB);
  });
});

it("an .npz of a hundredth of its contents unpacks in pieces", async () => {
  const rows = 40;
  const file = new Uint8Array(npyHead(rows).length + rows * MB);
  file.set(npyHead(rows));
  const zip = zipSync({ "x.npy": file }, { level: 1 });
  expect(zip.length).toBeLessThan((rows * MB) / 100);
  const seen = await watch(new MemorySource(zip));
  expect(seen.bytes).toBe(rows * MB);
  // 16 KiB of DEFLATE give at most 1,032 times as much.
  expect(seen.written).toBeLessThanOrEqual(17 * MB);
});

it("csv is read 256 KiB at a time, twice", async () => {
  const line = new TextEncoder().encode(`${"0.125,".repeat(63)}1\n`);
  const rows = 6_000;
  const text: ByteSource = {
    size: line.length * rows,
    read: async (offset, into) => {
      for (let i = 0; i < into.length;) {
        const from = (offset + i) % line.length;
        const piece = line.subarray(from, from + into.length - i);
        into.set(piece, i);
        i += piece.length;
      }
    },
  };
  const seen = await watch(text, { fields: parseFields("x:*") });
  expect(seen.bytes).toBe(rows * 64 * 4);
  expect(seen.read).toBeLessThanOrEqual(256 << 10);
  expect(seen.written).toBeLessThanOrEqual(512 << 10);
});

it("a row of csv without end is refused before it is held", async () => {
  const size = 200 * MB;
  const text: ByteSource = { size, read: async (_, into) => void into.fill(0x31) };
  await expect(watch(text)).rejects.toThrow("line 1: the row has more than 8388608 characters");
});

it("parquet columns that lie one behind the other are read as one stream", async () => {
  const file = new MemorySource(golden("pixels.parquet"));
  const jumps: number[] = [];
  let end = -1;
  const source: ByteSource = {
    size: file.size,
    read: async (offset, into) => {
      if (offset !== end) jumps.push(offset);
      end = offset + into.length;
      await file.read(offset, into);
    },
  };
  const plan = await readDataset(source, { decompressors, fields: parseFields("x:pixel_*") });
  jumps.length = 0;
  for (const pass of plan.passes) await pass.write([{ write: () => undefined }]);
  // Three row groups, with the label's column between them.
  expect(jumps).toHaveLength(3);
});
