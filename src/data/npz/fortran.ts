/**
 * @file Arrays in Fortran order (the first axis runs fastest, as pandas' to_numpy() has them) as rows.
 *
 * A row's elements lie a column apart, so each pass over the file puts together a block of rows that fits memory.
 */
import { elementCount } from "../../onnx/data-type.ts";
import type { ByteSink } from "../../onnx/source.ts";

const BLOCK_BYTES = 16 << 20;
const MAX_PASSES = 12;
/** Larger arrays would be read too often. */
export const MAX_FORTRAN_BYTES = BLOCK_BYTES * MAX_PASSES;

/**
 * Writes the rows of a column-major array.
 * @param open the array's bytes, from the first on, as often as they are asked for
 * @param size bytes of an element
 */
export async function writeRowMajor(
  open: () => AsyncIterable<Uint8Array>,
  dims: readonly number[],
  size: number,
  sink: ByteSink,
  blockBytes = BLOCK_BYTES,
): Promise<void> {
  const [rows = 0, ...shape] = dims;
  const places = rowPlaces(shape);
  const blockRows = Math.max(1, Math.floor(blockBytes / (places.length * size)));
  const rowBytes = places.length * size;
  const block = new Uint8Array(Math.min(blockRows, rows) * rowBytes);
  for (let start = 0; start < rows; start += blockRows) {
    const end = Math.min(start + blockRows, rows);
    let column = 0;
    let row = 0;
    let byte = 0;
    for await (const chunk of open()) {
      for (const value of chunk) {
        if (row >= start && row < end) {
          const element = (row - start) * places.length + (places[column] ?? 0);
          block[element * size + byte] = value;
        }
        if (++byte < size) continue;
        byte = 0;
        if (++row < rows) continue;
        row = 0;
        column++;
      }
    }
    await sink.write(block.subarray(0, (end - start) * rowBytes));
  }
}

/** Where in a row-major row the elements of a column-major one go. */
function rowPlaces(shape: readonly number[]): Uint32Array {
  const places = new Uint32Array(elementCount(shape));
  for (let i = 0; i < places.length; i++) {
    let rest = i;
    let place = 0;
    for (const [axis, dim] of shape.entries()) {
      place += (rest % dim) * elementCount(shape.slice(axis + 1));
      rest = Math.floor(rest / dim);
    }
    places[i] = place;
  }
  return places;
}
