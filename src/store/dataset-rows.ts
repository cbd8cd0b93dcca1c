/** @file A stored dataset's rows: one request to R2 for each range of a field. */
import { type DatasetDescription, rowBytes } from "../data/dataset.ts";
import { checkedField, type RowSource } from "../data/rows.ts";
import { StoredObjectError } from "./r2-source.ts";

export class DatasetRows implements RowSource {
  readonly description: DatasetDescription;
  readonly #bucket: R2Bucket;
  readonly #keys: ReadonlyMap<string, string>;

  /** @param keys of the fields' objects, by name */
  constructor(
    bucket: R2Bucket,
    description: DatasetDescription,
    keys: ReadonlyMap<string, string>,
  ) {
    this.#bucket = bucket;
    this.description = description;
    this.#keys = keys;
  }

  /** @throws StoredObjectError when the object is gone or shorter than it was */
  async read(name: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const size = rowBytes(checkedField(this.description, name, start, end));
    const length = (end - start) * size;
    if (length === 0) return new Uint8Array(0);
    const key = this.#keys.get(name) ?? "";
    const object = await this.#bucket.get(key, { range: { offset: start * size, length } });
    if (!object) throw new StoredObjectError(`the object ${key} of field "${name}" is gone`);
    const bytes = new Uint8Array(await object.arrayBuffer());
    if (bytes.length !== length) {
      throw new StoredObjectError(`${key} gave ${bytes.length} of ${length} bytes`);
    }
    return bytes;
  }
}
