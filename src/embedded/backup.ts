/**
 * @file A backup of what one machine keeps: the catalogue as SQL, every object of the buckets by its hash, and the two
 * secrets of the folder. Durable Objects are not in it: jobs that were not over, and secrets of webhook endpoints.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { chmod, copyFile, mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { dumpCatalogue, loadCatalogue } from "./dump-catalogue.ts";
import { BUCKETS, openStorage } from "./storage.ts";

/** Smaller ones go in one piece; R2 wants all parts but the last of one size. */
const PART_BYTES = 8 << 20;
/** Kept beside the catalogue, which holds what they open. */
const SECRETS = ["signing-secret", "api-key"];

/** One line of objects.jsonl. */
interface BackedUp {
  bucket: (typeof BUCKETS)[number];
  key: string;
  bytes: number;
  sha256: string;
  httpMetadata?: R2HTTPMetadata;
  customMetadata?: Record<string, string>;
}

export interface Counts {
  objects: number;
  bytes: number;
}

/**
 * Writes `catalogue.sql`, `objects.jsonl`, `objects/<sha256>` and the secrets to a folder that is not there yet.
 * @throws Error while a service runs on the data
 */
export async function exportBackup(dataDir: string, folder: string): Promise<Counts> {
  if (existsSync(folder)) throw new Error(`backup: ${folder} is there already`);
  const storage = await openStorage(dataDir);
  const counts = { objects: 0, bytes: 0 };
  try {
    await mkdir(join(folder, "objects"), { recursive: true, mode: 0o700 });
    const sql = Readable.from(lines(dumpCatalogue(storage.db)));
    await pipeline(sql, createWriteStream(join(folder, "catalogue.sql"), { mode: 0o600 }));
    const list = await open(join(folder, "objects.jsonl"), "w");
    for (const name of BUCKETS) {
      const bucket = await storage.bucket(name);
      for await (const { key, httpMetadata, customMetadata } of everyObject(bucket)) {
        const object = await bucket.get(key);
        if (!object) continue;
        const { sha256, bytes } = await save(object, join(folder, "objects"));
        const line = { bucket: name, key, bytes, sha256, httpMetadata, customMetadata };
        await list.write(`${JSON.stringify(line)}\n`);
        counts.objects++;
        counts.bytes += bytes;
      }
    }
    await list.close();
  } finally {
    await storage.close();
  }
  for (const name of SECRETS) await copySecret(join(dataDir, name), join(folder, name));
  return counts;
}

/**
 * Makes a data folder of a backup; every object's hash is checked before it is stored.
 * @throws Error for an object that is not what it was, and where there is a catalogue already
 */
export async function importBackup(folder: string, dataDir: string): Promise<Counts> {
  await mkdir(dataDir, { recursive: true });
  const { unstable_splitSqlQuery: statementsOf } = await import("wrangler");
  const sql = await readFile(join(folder, "catalogue.sql"), "utf8");
  const list = await readFile(join(folder, "objects.jsonl"), "utf8");
  const storage = await openStorage(dataDir);
  const counts = { objects: 0, bytes: 0 };
  try {
    await loadCatalogue(storage.db, statementsOf(sql));
    for (const line of list.split("\n").filter(Boolean)) {
      const object = JSON.parse(line) as BackedUp;
      const path = join(folder, "objects", object.sha256);
      await checkHash(path, object);
      await restore(await storage.bucket(object.bucket), object, path);
      counts.objects++;
      counts.bytes += object.bytes;
    }
  } finally {
    await storage.close();
  }
  for (const name of SECRETS) await copySecret(join(folder, name), join(dataDir, name));
  return counts;
}

async function* lines(statements: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const statement of statements) yield `${statement}\n`;
}

async function* everyObject(bucket: R2Bucket): AsyncGenerator<R2Object> {
  let cursor: string | undefined;
  do {
    const page = await bucket.list({
      include: ["httpMetadata", "customMetadata"],
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* page.objects;
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
}

/** Under its hash: a key may be no name of a file, and what is stored twice is saved once. */
async function save(object: R2ObjectBody, folder: string) {
  const hash = createHash("sha256");
  const path = join(folder, `.${randomUUID()}`);
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  const body = Readable.fromWeb(object.body as unknown as Parameters<typeof Readable.fromWeb>[0]);
  await pipeline(body, counted, createWriteStream(path, { mode: 0o600 }));
  const sha256 = hash.digest("hex");
  await rename(path, join(folder, sha256));
  return { sha256, bytes };
}

async function checkHash(path: string, { key, sha256, bytes }: BackedUp): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const { size } = await stat(path);
  if (size !== bytes || hash.digest("hex") !== sha256) {
    throw new Error(`backup: ${path} is not the ${bytes} bytes that were saved of ${key}`);
  }
}

async function restore(bucket: R2Bucket, object: BackedUp, path: string): Promise<void> {
  const { key, bytes, httpMetadata = {}, customMetadata = {} } = object;
  const metadata = { httpMetadata, customMetadata };
  if (bytes <= PART_BYTES) {
    await bucket.put(key, await readFile(path), metadata);
    return;
  }
  const upload = await bucket.createMultipartUpload(key, metadata);
  const parts: R2UploadedPart[] = [];
  for (let start = 0; start < bytes; start += PART_BYTES) {
    const stream = createReadStream(path, { start, end: Math.min(start + PART_BYTES, bytes) - 1 });
    const part = Buffer.concat(await stream.toArray());
    parts.push(await upload.uploadPart(parts.length + 1, part));
  }
  await upload.complete(parts);
}

async function copySecret(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  await copyFile(resolve(from), resolve(to));
  await chmod(to, 0o600);
}
