/** @file What a training job keeps in R2, all under its own prefix: plan, graphs, first weights, checkpoints, result. */
import { StoredObjectError } from "../../store/r2-source.ts";
import type { StateEntry } from "../../train/replica.ts";
import { readState, stateBytes, stateChunks } from "./state-file.ts";

const CHUNK_BYTES = 1 << 20;
/** R2 deletes at most so many keys in one call, and lists as many. */
const KEYS_AT_ONCE = 1000;

export class TrainingObjects {
  readonly #bucket: R2Bucket;
  readonly #prefix: string;

  constructor(bucket: R2Bucket, workspace: string, job: string) {
    this.#bucket = bucket;
    this.#prefix = `training/${workspace}/${job}/`;
  }

  key(name: string): string {
    return this.#prefix + name;
  }

  /** The key of a rank's part of a checkpoint. */
  partKey(step: number, rank: number): string {
    return this.key(`checkpoints/${step}/${rank}`);
  }

  /** The key of a part of the checkpoint, of another job, that this one went on from. */
  originKey(rank: number): string {
    return this.key(`origin/${rank}`);
  }

  async putJson(name: string, value: unknown): Promise<void> {
    await this.#bucket.put(this.key(name), JSON.stringify(value));
  }

  async getJson<T>(name: string): Promise<T> {
    return await (await this.#get(this.key(name))).json<T>();
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#bucket.put(this.key(name), bytes);
  }

  async getBytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await (await this.#get(this.key(name))).arrayBuffer());
  }

  async putVector(name: string, vector: Float32Array): Promise<void> {
    await this.put(name, new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
  }

  async getVector(name: string): Promise<Float32Array> {
    return new Float32Array(await (await this.#get(this.key(name))).arrayBuffer());
  }

  async has(name: string): Promise<boolean> {
    return (await this.#bucket.head(this.key(name))) !== null;
  }

  /** Streams a rank's part of a checkpoint to R2; gives its size. */
  async putState(key: string, entries: readonly StateEntry[]): Promise<number> {
    const bytes = stateBytes(entries);
    const { readable, writable } = new FixedLengthStream(bytes);
    const written = this.#bucket.put(key, readable);
    const feed = async () => {
      const writer = writable.getWriter();
      for (const chunk of stateChunks(entries, CHUNK_BYTES)) await writer.write(chunk.slice());
      await writer.close();
    };
    await Promise.all([written, feed()]);
    return bytes;
  }

  /** All entries of a checkpoint, part after part. */
  async *readStates(keys: readonly string[]): AsyncGenerator<StateEntry> {
    for (const key of keys) yield* readState((await this.#get(key)).body);
  }

  /** Takes over another job's part of a checkpoint as one of this job; gives its size. */
  async copyState(from: string, to: string): Promise<number> {
    const { body, size } = await this.#get(from);
    const { readable, writable } = new FixedLengthStream(size);
    await Promise.all([this.#bucket.put(to, readable), body.pipeTo(writable)]);
    return size;
  }

  async delete(keys: readonly string[]): Promise<void> {
    await this.#bucket.delete([...keys]);
  }

  /** Everything of the job. */
  async deleteAll(): Promise<void> {
    for (;;) {
      const { objects } = await this.#bucket.list({ prefix: this.#prefix, limit: KEYS_AT_ONCE });
      if (objects.length === 0) return;
      await this.#bucket.delete(objects.map(({ key }) => key));
    }
  }

  async #get(key: string): Promise<R2ObjectBody> {
    const object = await this.#bucket.get(key);
    if (!object) throw new StoredObjectError(`the object ${key} is gone`);
    return object;
  }
}
