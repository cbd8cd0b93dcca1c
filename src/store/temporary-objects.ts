/**
 * @file R2 objects that belong to no model (yet). Each is entered in D1 before it exists, so bytes that
 * a crash, a refusal or a lost connection leaves behind are deleted by their owner or by the hourly sweep.
 */
import { newId } from "./id.ts";

export interface TemporaryObject {
  readonly key: string;
  /** Remembers the multipart upload, so that it can be aborted. */
  setMultipartId(id: string): Promise<void>;
}

interface Row {
  object_key: string;
  multipart_id: string | null;
}

const LIFETIME_MS = 60 * 60 * 1000;

/** The temporary objects of one owner: a request, an upload, a job. */
export class TemporaryObjects {
  readonly #env: Env;
  readonly #workspace: string;
  readonly #owner: string;
  readonly #lifetimeMs: number;
  #created = false;
  /** Part buffers of sinks that are done, for the next ones. */
  readonly idleParts: Uint8Array<ArrayBuffer>[] = [];

  /** @param lifetimeMs after which the sweep deletes what no model claimed (default one hour) */
  constructor(env: Env, workspace: string, owner: string, lifetimeMs = LIFETIME_MS) {
    this.#env = env;
    this.#workspace = workspace;
    this.#owner = owner;
    this.#lifetimeMs = lifetimeMs;
  }

  get bucket(): R2Bucket {
    return this.#env.BLOBS;
  }

  async create(): Promise<TemporaryObject> {
    const key = `blobs/${this.#workspace}/${newId("object")}`;
    const db = this.#env.DB;
    this.#created = true;
    await db
      .prepare("INSERT INTO temporary_objects (object_key, owner, expires_at) VALUES (?, ?, ?)")
      .bind(key, this.#owner, Date.now() + this.#lifetimeMs)
      .run();
    return {
      key,
      setMultipartId: async (id) => {
        await db
          .prepare("UPDATE temporary_objects SET multipart_id = ? WHERE object_key = ?")
          .bind(id, key)
          .run();
      },
    };
  }

  /** Deletes those that no model claimed. What cannot be deleted now is left to the sweep. */
  async release(): Promise<void> {
    if (!this.#created) return;
    await releaseObjects(this.#env, this.#owner).catch((error: unknown) => {
      console.error(JSON.stringify({ owner: this.#owner, release: "left to the sweep" }), error);
    });
  }
}

/** Deletes what `owner` left behind. */
export async function releaseObjects(env: Env, owner: string): Promise<void> {
  const { results } = await env.DB.prepare(
    "SELECT object_key, multipart_id FROM temporary_objects WHERE owner = ?",
  )
    .bind(owner)
    .all<Row>();
  await deleteObjects(env, results);
}

/** Deletes up to `limit` objects whose time is over; returns how many there were. */
export async function sweepObjects(env: Env, now: number, limit: number): Promise<number> {
  const { results } = await env.DB.prepare(
    "SELECT object_key, multipart_id FROM temporary_objects WHERE expires_at <= ? LIMIT ?",
  )
    .bind(now, limit)
    .all<Row>();
  await deleteObjects(env, results);
  return results.length;
}

async function deleteObjects(env: Env, rows: readonly Row[]): Promise<void> {
  for (const { object_key: key, multipart_id: id } of rows) {
    // An upload that was completed or aborted already cannot be aborted again.
    if (id)
      await env.BLOBS.resumeMultipartUpload(key, id)
        .abort()
        .catch(() => undefined);
    await env.BLOBS.delete(key);
    await env.DB.prepare("DELETE FROM temporary_objects WHERE object_key = ?").bind(key).run();
  }
}
