import { expect, it } from "vitest";
import { R2Sink } from "../../../src/store/r2-sink.ts";
import { R2Source } from "../../../src/store/r2-source.ts";
import { TemporaryObjects } from "../../../src/store/temporary-objects.ts";
import { env, newWorkspace, storedObjects } from "./service.ts";

const MIB = 1 << 20;

/** Bytes that differ everywhere: a 32-bit counter. */
function counter(length: number): Uint8Array<ArrayBuffer> {
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, (_, index) =>
    Math.imul(index, 2_654_435_761),
  );
  return new Uint8Array(words.buffer).subarray(0, length);
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

async function store(bytes: Uint8Array, pieces: number) {
  const { id } = await newWorkspace();
  const object = await new TemporaryObjects(env, id, "test").create();
  const sink = new R2Sink(env.BLOBS, object);
  const scratch = new Uint8Array(pieces);
  for (let at = 0; at < bytes.length; at += pieces) {
    const piece = scratch.subarray(0, Math.min(pieces, bytes.length - at));
    piece.set(bytes.subarray(at, at + pieces));
    await sink.write(piece);
    scratch.fill(0xff);
  }
  return { object, id, ...(await sink.finish()) };
}

it.each([0, 1, 8 * MIB, 8 * MIB + 1, 17 * MIB])(
  "%i bytes are stored and hashed",
  async (length) => {
    const bytes = counter(length);
    const stored = await store(bytes, 700_001);
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    expect(stored).toMatchObject({ bytes: length, sha256: Buffer.from(digest).toString("hex") });
    const object = await env.BLOBS.get(stored.object.key);
    expect(same(new Uint8Array((await object?.arrayBuffer()) ?? []), bytes)).toBe(true);
  },
);

it("reads in order, by jumps and at once give the same bytes", async () => {
  const bytes = counter(13 * MIB + 5);
  const { object } = await store(bytes, MIB);
  const source = new R2Source(env.BLOBS, object.key, bytes.length);
  const read = async (offset: number, length: number) => {
    const into = new Uint8Array(length);
    await source.read(offset, into);
    expect([offset, same(into, bytes.subarray(offset, offset + length))]).toEqual([offset, true]);
  };
  for (let at = 0; at < bytes.length; at += 900_000)
    await read(at, Math.min(900_000, bytes.length - at));
  for (const at of [12 * MIB, 5, 6 * MIB, 6 * MIB + 10, 0, 13 * MIB]) await read(at, 5);
  await read(1, 10 * MIB);
  await read(bytes.length - 3, 3);
  await Promise.all([0, 9 * MIB, 3 * MIB, 12 * MIB, 100].map((at) => read(at, 700_000)));
});

it("a part that fails fails the writer, and an abort leaves nothing", async () => {
  const { id } = await newWorkspace();
  const objects = new TemporaryObjects(env, id, "failing");
  const object = await objects.create();
  const upload = {
    uploadId: "x",
    uploadPart: async () => Promise.reject(new Error("part: no (10001)")),
  };
  const bucket = { createMultipartUpload: async () => upload } as unknown as R2Bucket;
  const sink = new R2Sink(bucket, object);
  const write = async () => {
    for (let i = 0; i < 40; i++) await sink.write(new Uint8Array(MIB));
  };
  await expect(write()).rejects.toThrow("10001");
  await sink.abort();
  await objects.release();
  expect(await storedObjects(id)).toEqual([]);
});
