import { expect, it } from "vitest";
import { openDataset } from "../../../src/store/datasets.ts";
import { npy } from "./dataset-files.ts";
import { env, newWorkspace, storedObjects } from "./service.ts";

const ROW_BYTES = 64 << 10;
const ROWS = 500;

/** A .npy of 32 MB whose row `r` is all `r % 256`, made a row at a time. */
function largeNpy(rows = ROWS): ReadableStream {
  const head = npy("|u1", [ROWS, ROW_BYTES], new Uint8Array(0));
  let row = -1;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.enqueue(row < 0 ? head.slice() : new Uint8Array(ROW_BYTES).fill(row % 256));
      if (++row === rows) controller.close();
    },
  });
}

/** The bucket, and the sizes of what it was given. */
function watched(): { BLOBS: R2Bucket; parts: number[]; puts: number[] } {
  const parts: number[] = [];
  const puts: number[] = [];
  const BLOBS = new Proxy(env.BLOBS, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (property === "put") {
        return (key: string, body: Uint8Array) => {
          puts.push(body.length);
          return target.put(key, body);
        };
      }
      if (property !== "createMultipartUpload") return value.bind(target);
      return async (key: string) => {
        const upload = await target.createMultipartUpload(key);
        return new Proxy(upload, {
          get(inner, name) {
            const method: unknown = Reflect.get(inner, name);
            if (typeof method !== "function") return method;
            if (name !== "uploadPart") return method.bind(inner);
            return (number: number, body: Uint8Array) => {
              parts.push(body.length);
              return inner.uploadPart(number, body);
            };
          },
        });
      };
    },
  });
  return { BLOBS, parts, puts };
}

it("32 MB come and go in parts of 8 MiB, and rows are read by range", async () => {
  const { id: workspace, call } = await newWorkspace();
  const { BLOBS, parts, puts } = watched();
  const answer = await call("/v1/datasets?fields=x", { body: largeNpy(), env: { BLOBS } });
  expect(answer.json).toMatchObject({ rows: ROWS, bytes: ROWS * ROW_BYTES });
  expect(puts).toEqual([]);
  // The body and the field, four parts each: three whole ones and a rest.
  expect(parts).toHaveLength(8);
  expect(Math.max(...parts)).toBe(8 << 20);
  expect(await storedObjects(workspace)).toHaveLength(1);
  const source = await openDataset(env, workspace, answer.json.id);
  const rows = await source?.read("x", 300, 302);
  expect(rows?.length).toBe(2 * ROW_BYTES);
  expect(rows?.every((value, i) => value === (i < ROW_BYTES ? 300 : 301) % 256)).toBe(true);
});

it("a large body that ends early leaves no part", async () => {
  const { id: workspace, call } = await newWorkspace();
  const answer = await call("/v1/datasets", { body: largeNpy(ROWS - 1) });
  expect(answer.json).toMatchObject({ status: 422, code: "invalid_dataset" });
  expect(await storedObjects(workspace)).toEqual([]);
  const { results } = await env.DB.prepare(
    "SELECT 1 FROM temporary_objects WHERE object_key LIKE ?",
  )
    .bind(`blobs/${workspace}/%`)
    .all();
  expect(results).toEqual([]);
});
