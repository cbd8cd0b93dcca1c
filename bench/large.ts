/**
 * @file A model and a result beyond 2 GiB through the service: sent in parts, pruned by a job, fetched by ranges; the
 * bytes are those of file to file, and the entry that says how a stored model was made after them. One request of that
 * size is refused with where to go instead.
 *
 * `npm run bench -- large`: takes minutes and 10 GB of disk, removed afterwards; the local simulator of R2 sets the pace.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, mkdirSync, openAsBlob, rmSync } from "node:fs";
import { request } from "node:http";
import { Hone } from "../sdk/typescript/src/index.ts";
import { startService } from "../src/embedded/host.ts";
import { compressFile } from "../src/node/file-to-file.ts";
import { benchModel, FOLDER, removeModel } from "./models.ts";
import { LARGE, transformer } from "./transformer.ts";

const OPTIONS = { method: "global_unstructured", amount: 0.5 } as const;
const RANGE_BYTES = 256 << 20;
const FOLDER_OUT = `${FOLDER}/large-out`;
/** What a model's own file and its external data are called in the answer. */
const FILES = ["", "model.onnx.data"] as const;

rmSync(FOLDER_OUT, { recursive: true, force: true });
mkdirSync(FOLDER_OUT, { recursive: true });
const { path, bytes } = await benchModel("large", () => transformer(LARGE));
console.error("file to file");
const { bytesAfter } = await compressFile(path, `${FOLDER_OUT}/model.onnx`, {
  operation: "prune",
  options: { ...OPTIONS, verify: false },
});
const expected = await Promise.all(
  FILES.map(async (location) => {
    const hash = createHash("sha256");
    let length = 0;
    for await (const chunk of createReadStream(`${FOLDER_OUT}/${location || "model.onnx"}`)) {
      hash.update(chunk as Buffer);
      length += (chunk as Buffer).length;
    }
    return { sha256: hash.digest("hex"), length };
  }),
);
rmSync(FOLDER_OUT, { recursive: true, force: true });

const service = await startService({ dataDir: FOLDER_OUT });
try {
  const hone = new Hone({ baseUrl: service.url, apiKey: service.apiKey });
  const refusal = await oneShot(bytes);
  console.error(`one request: ${refusal.status} ${refusal.detail}`);
  const model = await timed("sending", async () =>
    hone.models.upload([
      { data: await openAsBlob(path) },
      { location: "large.onnx.data", data: await openAsBlob(`${path}.data`) },
    ]),
  );
  const job = await timed("pruning", async () => {
    const { id } = await hone.models.prune(model.result.id, OPTIONS);
    return await hone.jobs.wait(id);
  });
  const { result } = job.result;
  if (!result || !("model_id" in result)) throw new Error(JSON.stringify(job.result));
  const received = await timed("receiving", async () => {
    const hashes: string[] = [];
    for (const [index, location] of FILES.entries()) {
      hashes.push(await hashByRanges(result.model_id, location, expected[index]?.length ?? 0));
    }
    return hashes;
  });
  const row = {
    case: "prune-global-2.5gb-over-http",
    bytes,
    result_bytes: bytesAfter,
    /** The files whose bytes are not those of file to file. */
    differing: FILES.filter((_, index) => received.result[index] !== expected[index]?.sha256),
    sending_s: model.seconds,
    pruning_s: job.seconds,
    receiving_s: received.seconds,
    one_request: refusal,
  };
  console.log(JSON.stringify({ bench: "large", unit: "seconds of wall time", rows: [row] }));
  if (row.differing.length > 0) process.exitCode = 1;
} finally {
  await service.stop();
  rmSync(FOLDER_OUT, { recursive: true, force: true });
  removeModel("large");
}

async function timed<T>(what: string, work: () => Promise<T>) {
  console.error(what);
  const start = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - start) / 1000 };
}

/** Asks for one range after the other until the file ends. @returns the hash of its first `length` bytes */
async function hashByRanges(id: string, location: string, length: number): Promise<string> {
  const route = location ? `files/${encodeURIComponent(location)}` : "content";
  const hash: Hash = createHash("sha256");
  let left = length;
  for (let from = 0; ; from += RANGE_BYTES) {
    const response = await fetch(`${service.url}/v1/models/${id}/${route}`, {
      headers: {
        Authorization: `Bearer ${service.apiKey}`,
        Range: `bytes=${from}-${from + RANGE_BYTES - 1}`,
      },
    });
    if (response.status !== 206 || !response.body) throw new Error(await response.text());
    for await (const chunk of response.body) {
      hash.update(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
    }
    const total = Number(response.headers.get("Content-Range")?.split("/")[1]);
    if (from + RANGE_BYTES >= total) return hash.digest("hex");
  }
}

/** Says how long the body would be, and sends none of it. */
async function oneShot(contentLength: number): Promise<{ status: number; detail: string }> {
  return await new Promise((resolve, reject) => {
    const call = request(`${service.url}/v1/prune?method=l1_unstructured&amount=0.5`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${service.apiKey}`,
        "Content-Length": contentLength,
      },
    });
    call.on("error", reject);
    call.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("end", () => {
        call.destroy();
        const { detail, hint } = JSON.parse(text) as { detail: string; hint?: string };
        resolve({ status: response.statusCode ?? 0, detail: [detail, hint].join(" ") });
      });
    });
    call.flushHeaders();
  });
}
