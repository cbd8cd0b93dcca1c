/** @file Rows with some integer fields as int32, which WebGPU computes with: it has no int64. */
import type { DatasetDescription } from "./dataset.ts";
import { bytesOf, fieldElements, isFloat } from "./numbers.ts";
import type { RowSource } from "./rows.ts";

const LEAST = -(2 ** 31);
const MOST = 2 ** 31 - 1;

/** A source with the named integer fields as int32; floats, bools and the other fields as they are. */
export class NarrowRows implements RowSource {
  readonly description: DatasetDescription;
  readonly #source: RowSource;

  constructor(source: RowSource, names: ReadonlySet<string>) {
    this.#source = source;
    const { fields, rows } = source.description;
    this.description = {
      rows,
      fields: fields.map((field) => {
        const isInteger = !isFloat(field.dtype) && field.dtype !== "bool";
        return isInteger && names.has(field.name) ? { ...field, dtype: "int32" } : field;
      }),
    };
  }

  /** A number beyond int32 becomes the last one of it: what was no class before is none afterwards. */
  async read(name: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.#source.read(name, start, end);
    const dtype = (description: DatasetDescription) =>
      description.fields.find((field) => field.name === name)?.dtype;
    const from = dtype(this.#source.description);
    if (from === undefined || from === dtype(this.description)) return bytes;
    const values = fieldElements(from, bytes);
    const narrow = new Int32Array(values.length);
    for (let i = 0; i < values.length; i++) {
      narrow[i] = Math.min(Math.max(Number(values[i]), LEAST), MOST);
    }
    return bytesOf(narrow);
  }
}
