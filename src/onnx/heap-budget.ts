/**
 * @file What a model's objects may take on the heap. A file of 16 MB can hold millions of fields of two bytes, each of
 * which becomes an object of a hundred: so every object is paid for before it is made.
 */

/** Bytes of heap, about, with 64-bit pointers. */
export const COST = {
  graph: 900,
  node: 400,
  attribute: 240,
  tensor: 240,
  valueInfo: 160,
  function: 1200,
  /** A key and a value, an opset import. */
  entry: 80,
  /** A node's input or output, without its name: a place in the maps of who makes and uses what. */
  edge: 64,
  /** Text, without its letters. */
  text: 32,
  /** A typed array that is a view of a shared buffer, without its bytes. */
  bytes: 112,
  bigint: 32,
  number: 8,
  /** A range of the file. */
  span: 48,
} as const;

export class HeapBudget {
  readonly maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** False once more was spent than there is. */
  spend(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= this.maxBytes;
  }
}
