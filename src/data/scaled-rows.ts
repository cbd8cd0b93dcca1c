/** @file Rows whose numbers are multiplied as they are read: fields become float32 (pixels / 255). */
import type { DatasetDescription } from "./dataset.ts";
import { bytesOf, fieldElements } from "./numbers.ts";
import type { RowSource } from "./rows.ts";

/** A source with some fields as float32, times a factor; the others as they are. */
export class ScaledRows implements RowSource {
  readonly description: DatasetDescription;
  readonly #source: RowSource;
  readonly #scales: ReadonlyMap<string, number>;

  /** @param scales factors by field; a factor of 1 leaves the field as it is */
  constructor(source: RowSource, scales: ReadonlyMap<string, number>) {
    this.#source = source;
    this.#scales = scales;
    const { fields, rows } = source.description;
    this.description = {
      rows,
      fields: fields.map((field) =>
        (scales.get(field.name) ?? 1) === 1 ? field : { ...field, dtype: "float32" },
      ),
    };
  }

  async read(name: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.#source.read(name, start, end);
    const scale = this.#scales.get(name) ?? 1;
    const field = this.#source.description.fields.find((each) => each.name === name);
    if (scale === 1 || !field) return bytes;
    const values = fieldElements(field.dtype, bytes);
    if (field.dtype === "bfloat16") return bytesOf(scaledBfloat16(values as Uint16Array, scale));
    return bytesOf(Float32Array.from(values as Float64Array, (value) => Number(value) * scale));
  }
}

/** bfloat16 is the upper half of float32. */
function scaledBfloat16(values: Uint16Array, scale: number): Float32Array<ArrayBuffer> {
  const wide = new Float32Array(Uint32Array.from(values, (half) => half * 65_536).buffer);
  return wide.map((value) => value * scale);
}
