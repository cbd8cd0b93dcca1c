import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { readHybrid, ByteReader } from "../../../src/data/parquet/hybrid.ts";
import { readDelta } from "../../../src/data/parquet/delta.ts";
import { readLz4Block } from "../../../src/data/parquet/lz4.ts";
import { checkThrift } from "../../../src/data/parquet/check-thrift.ts";
import { golden, readAll, refusal } from "./reading.ts";

const FILES = [
  "arrays.npz",
  "compressed.npz",
  "fortran.npz",
  "version-2.npy",
  "tensors.safetensors",
  "table.csv",
  "snappy.parquet",
  "plain-pages.parquet",
  "version-2.parquet",
  "brotli.parquet",
  "lz4.parquet",
  "encodings.parquet",
];

/** Numbers in 0 … 1 (mulberry32), so that what fails once fails again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe.each(FILES)("%s", (file) => {
  const whole = golden(file);

  it("cut anywhere it is refused, or read as what is left of it", async () => {
    const random = randomOf(1);
    const cuts = [0, 1, 4, 8, 12, whole.length - 1, whole.length - 8];
    for (let i = 0; i < 40; i++) cuts.push(Math.floor(random() * whole.length));
    for (const cut of cuts) {
      const outcome = await refusal(whole.subarray(0, cut));
      // Text that ends early is shorter text.
      if (file.endsWith(".csv")) expect(outcome).not.toContain("!");
      else
        expect([cut, outcome]).toEqual([cut, expect.stringMatching(/^(invalid|not_a)_dataset: /)]);
    }
  });

  it("with bytes changed it is refused or read, never anything else", async () => {
    const random = randomOf(2);
    for (let i = 0; i < 150; i++) {
      const bytes = whole.slice();
      // Headers and footers are where it hurts: half of the changes go there.
      const count = 1 + Math.floor(random() * 4);
      for (let change = 0; change < count; change++) {
        const spread = random() < 0.5 ? bytes.length : Math.min(bytes.length, 600);
        const at = Math.floor(random() * spread);
        const place = random() < 0.5 ? at : bytes.length - 1 - at;
        bytes[place] = random() < 0.3 ? 0xff : Math.floor(random() * 256);
      }
      const outcome = await refusal(bytes);
      expect([i, outcome]).toEqual([
        i,
        expect.stringMatching(/^(taken$|invalid_dataset: |not_a_dataset: |dataset_too_large: )/),
      ]);
    }
  });
});

/** A zip whose directory says other things of its one entry. */
function zipSaying(data: Uint8Array, change: (directory: DataView) => void): Uint8Array {
  const zip = zipSync({ "x.npy": data }, { level: 1 });
  const at = zip.findLastIndex(
    (_, i) => zip[i] === 0x50 && zip[i + 1] === 0x4b && zip[i + 2] === 1,
  );
  change(new DataView(zip.buffer, zip.byteOffset + at));
  return zip;
}

const npy = golden("version-2.npy");

describe("an archive", () => {
  it("that unpacks to more than it says ends there", async () => {
    const zeros = new Uint8Array(24 << 20);
    zeros.set(npy.subarray(0, npy.length - 320));
    const bomb = zipSaying(zeros, (directory) => directory.setUint32(24, npy.length, true));
    expect(bomb.length).toBeLessThan(200_000);
    const outcome = await refusal(bomb);
    expect(outcome).toMatch(/"x.npy" unpacks to more than the \d+ bytes the directory says/);
  });

  it("that unpacks to less than it says is refused", async () => {
    const text = new TextDecoder("latin1").decode(npy).replace("(20, 2, 2), }", "(999999999,)}");
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    const short = zipSaying(bytes, (directory) =>
      directory.setUint32(24, 999_999_999 * 4 + npy.length - 320, true),
    );
    expect(await refusal(short)).toMatch(/"x.npy" unpacks to 448 bytes, the directory says/);
  });

  it("with another checksum, a wrong method or encryption is refused", async () => {
    const with32 = (at: number, value: number) => (directory: DataView) =>
      directory.setUint32(at, value, true);
    expect(await refusal(zipSaying(npy, with32(16, 7)))).toMatch(/CRC-32/);
    const method = zipSaying(npy, (directory) => directory.setUint16(10, 12, true));
    expect(await refusal(method)).toMatch(/packed by method 12/);
    const encrypted = zipSaying(npy, (directory) => directory.setUint16(8, 1, true));
    expect(await refusal(encrypted)).toMatch(/is encrypted/);
  });

  it("with two arrays of one name, or a file that is no array, is refused", async () => {
    const one = zipSync({ "a.npy": npy, "b.npy": npy });
    const twice = Uint8Array.from(one, (byte, i) =>
      byte === 0x62 && one[i + 1] === 0x2e && one[i + 2] === 0x6e ? 0x61 : byte,
    );
    expect(await refusal(twice)).toMatch(/two fields are named "a"/);
    expect(await refusal(zipSync({ "readme.txt": npy }))).toMatch(/"readme.txt" is not a .npy/);
    expect(await refusal(zipSync({}))).toMatch(/no fields/);
  });
});

function safetensors(header: string, bytes: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + bytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const tensor = (shape: string, start: number, end: number, dtype = "F32") =>
  `{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${start},${end}]}`;

describe("safetensors", () => {
  it.each([
    [`{"a":${tensor("2", 0, 8)},"b":${tensor("2", 4, 12)}}`, 12, /begins at 4.*they overlap/],
    [`{"a":${tensor("2", 0, 8)},"b":${tensor("2", 12, 20)}}`, 20, /there is a gap/],
    [`{"a":${tensor("2", 0, 8)}}`, 4, /ends at 8, the data at 4: the file is truncated/],
    [`{"a":${tensor("2", 0, 8)}}`, 12, /the tensors end at 8, the data at 12/],
    [`{"a":${tensor("3", 0, 8)}}`, 8, /\[3\] needs 12 bytes, its offsets \[0, 8\] give 8/],
    [`{"a":${tensor("-2", 0, 8)}}`, 8, /no shape of whole numbers/],
    [`{"a":${tensor("2", 8, 0)}}`, 8, /its offsets \[8, 0\] give -8/],
    [`{"a":${tensor("1e300,1e300", 0, 8)}}`, 8, /no shape/],
    [`{"a":${tensor("9007199254740991,4", 0, 8)}}`, 8, /needs \d+/],
    [`{"a":${tensor("2", 0, 8, "F8_E4M3")}}`, 8, /dtype "F8_E4M3", not one of/],
    [`{"a":${tensor("2", 0, 8)},"a":${tensor("2", 8, 16)}}`, 16, /two tensors have one name/],
    [`{"a":${tensor("2", 0, 8)},"\\u0061":${tensor("2", 8, 16)}}`, 16, /two tensors have one name/],
    [`{"a":${tensor("2", 0, 8)},"b":${tensor("3", 8, 20)}}`, 20, /"a" has 2 rows, "b" has 3/],
    [`{"a":${tensor("", 0, 4)}}`, 4, /is a scalar/],
    [`{"a":${tensor("2,0", 0, 0)}}`, 0, /no elements in a row/],
    [`{"a":null}`, 0, /dtype undefined/],
    [`{"a":`, 0, /not JSON/],
    [`{"__metadata__":{}}`, 0, /no fields/],
  ])("%s of %i bytes is refused", async (header, bytes, message) => {
    expect(await refusal(safetensors(header, bytes))).toMatch(message);
  });

  it("a header longer than the file is refused", async () => {
    const file = safetensors("{}", 0);
    new DataView(file.buffer).setUint32(0, 0xffff_ffff, true);
    expect(await refusal(file)).toMatch(/a header of 4294967295 bytes passes the limit/);
  });
});

describe("parquet", () => {
  it("a run that claims more values than the page has fills only the page", () => {
    // Varint 0xfffffffe: a run of 2^31 - 1 ones.
    const reader = new ByteReader(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1));
    expect(readHybrid(reader, 1, 5)).toEqual(Uint32Array.of(1, 1, 1, 1, 1));
  });

  it("runs of nothing, and pages that end within a run, throw", () => {
    expect(() => readHybrid(new ByteReader(Uint8Array.of(0, 1)), 1, 5)).toThrow("empty run");
    expect(() => readHybrid(new ByteReader(Uint8Array.of(1)), 1, 5)).toThrow("empty run");
    expect(() => readHybrid(new ByteReader(Uint8Array.of(3)), 8, 5)).toThrow("are needed");
    expect(() => readHybrid(new ByteReader(new Uint8Array(9)), 33, 5)).toThrow("33 bits");
    const endless = new ByteReader(new Uint8Array(100).fill(0xff));
    expect(() => readHybrid(endless, 1, 5)).toThrow("longer than 10 bytes");
  });

  it("delta blocks of absurd sizes throw", () => {
    const out = new Int32Array(5);
    expect(() => readDelta(new ByteReader(Uint8Array.of(0, 0, 5)), out)).toThrow("delta blocks");
    expect(() => readDelta(new ByteReader(Uint8Array.of(128, 1, 4, 6, 0)), out)).toThrow(
      "6 deltas, 5 values are due",
    );
  });

  it("LZ4 that reads before its start or writes past its end throws", () => {
    expect(() => readLz4Block(Uint8Array.of(0x10, 65, 2, 0, 0), 10)).toThrow("passes the block");
    expect(() => readLz4Block(Uint8Array.of(0xff, 255, 255), 10)).toThrow("ends at byte");
    expect(() => readLz4Block(Uint8Array.of(0x20, 65, 66), 1)).toThrow("2 literals pass");
  });

  it("a list longer than its bytes, a number without end and deep nesting throw", () => {
    expect(() => checkThrift(Uint8Array.of(0x19, 0xfc, 0xff, 0xff, 0xff, 0x0f, 0), 0)).toThrow(
      /a list of \d+ in 1 bytes/,
    );
    expect(() => checkThrift(new Uint8Array(40).fill(0xff).fill(0x15, 0, 1), 0)).toThrow("longer");
    expect(() => checkThrift(new Uint8Array(100).fill(0x1c), 0)).toThrow("nested deeper");
  });

  it("a size that comes as another type of number is refused", async () => {
    const file = golden("plain-pages.parquet");
    // The first page header: its type, then uncompressed and compressed size as i32, here the last as i64.
    const at = file.findIndex((byte, i) => byte === 0x15 && file[i + 2] === 0x15 && i >= 4);
    const last = file.indexOf(0x15, at + 4);
    const patched = file.slice();
    patched[last] = 0x16;
    expect(await refusal(patched)).toMatch(
      /^invalid_dataset: parquet: column "int8": a page of \d+/,
    );
  });

  it("a page header that claims very many values is refused before they are made", async () => {
    const file = golden("plain-pages.parquet");
    // The first page's num_values: i32 field 1 of the struct in field 5, zigzag.
    const at = file.findIndex((byte, i) => byte === 0x2c && file[i + 1] === 0x15);
    const patched = new Uint8Array(file.length);
    patched.set(file);
    patched.set([0xfe, 0xff, 0xff, 0xff, 0x0f], at + 2);
    expect(await refusal(patched)).toMatch(/^invalid_dataset: parquet: column "int8"/);
  });
});

it("limits of rows and fields hold", async () => {
  const wide = `{"a":${tensor("1,4194305", 0, 16_777_220)}}`;
  expect(await refusal(safetensors(wide, 16_777_220))).toMatch(
    /^dataset_too_large: data: a row of "a" float32 \[4194305\] has 16777220 bytes/,
  );
  const deep = `{"a":${tensor("1,1,1,1,1,1,1,1,1,1", 0, 4)}}`;
  expect(await refusal(safetensors(deep, 4))).toMatch(/rank 9 per row, at most 8/);
  const named = `{"${"n".repeat(129)}":${tensor("1", 0, 4)}}`;
  expect(await refusal(safetensors(named, 4))).toMatch(/name has 129 characters/);
  await expect(readAll(safetensors(`{"a":${tensor("1", 0, 4)}}`, 4))).resolves.toBeDefined();
});
