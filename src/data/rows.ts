/** @file Where rows come from: by field and range of rows, from memory or (src/store/dataset-rows.ts) R2. */
import { type DatasetDescription, type DatasetField, rowBytes } from "./dataset.ts";

export interface RowSource {
  readonly description: DatasetDescription;
  /**
   * Rows `start` to `end` (exclusive) of a field: `(end - start) * rowBytes(field)` bytes.
   * @throws RangeError for a field that is not there and for rows outside 0 … rows
   */
  read(field: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Rows that are all in memory. */
export class MemoryRows implements RowSource {
  readonly description: DatasetDescription;
  readonly #bytes: ReadonlyMap<string, Uint8Array>;

  /** @throws RangeError when a field's bytes are not as many as its rows need */
  constructor(description: DatasetDescription, bytes: ReadonlyMap<string, Uint8Array>) {
    for (const field of description.fields) {
      const need = rowBytes(field) * description.rows;
      const have = bytes.get(field.name)?.length ?? 0;
      if (have !== need) {
        throw new RangeError(
          `data: field "${field.name}" has ${have} bytes, ${description.rows} rows need ${need}`,
        );
      }
    }
    this.description = description;
    this.#bytes = bytes;
  }

  async read(name: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const field = checkedField(this.description, name, start, end);
    const size = rowBytes(field);
    return new Uint8Array(
      (this.#bytes.get(name) ?? new Uint8Array(0)).subarray(start * size, end * size),
    );
  }
}

/** The field, if it is there and has those rows. */
export function checkedField(
  { fields, rows }: DatasetDescription,
  name: string,
  start: number,
  end: number,
): DatasetField {
  const field = fields.find((each) => each.name === name);
  if (!field) throw new RangeError(`data: there is no field "${name}"`);
  if (
    !(
      Number.isSafeInteger(start) &&
      Number.isSafeInteger(end) &&
      0 <= start &&
      start <= end &&
      end <= rows
    )
  ) {
    throw new RangeError(`data: rows ${start} to ${end} of "${name}" are outside 0 to ${rows}`);
  }
  return field;
}
