/**
 * @file Holds a Thrift struct in the compact protocol against its bytes before it is parsed: no list longer than the
 * bytes that are there, no number longer than ten bytes, no deep nesting. The parser proper trusts all three.
 *
 * Source: thrift/doc/specs/thrift-compact-protocol.md.
 */

const MAX_DEPTH = 24;
const MAX_VARINT_BYTES = 10;
/** Each becomes an object or a property: about 100 bytes. A column in a row group has about 25. */
const MAX_VALUES = 400_000;

/**
 * Where the struct at `start` ends.
 * @throws RangeError when it does not end within `bytes`
 */
export function checkThrift(bytes: Uint8Array, start: number): number {
  return new Checker(bytes, start).struct(0);
}

class Checker {
  readonly #bytes: Uint8Array;
  #at: number;
  #values = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  struct(depth: number): number {
    if (depth > MAX_DEPTH) throw new RangeError(`thrift: structs nested deeper than ${MAX_DEPTH}`);
    for (;;) {
      const byte = this.#byte();
      if ((byte & 15) === 0) return this.#at;
      if (byte >> 4 === 0) this.#varint();
      this.#value(byte & 15, depth, false);
    }
  }

  #value(type: number, depth: number, inList: boolean): void {
    if (++this.#values > MAX_VALUES) {
      throw new RangeError(`thrift: more than ${MAX_VALUES} values`);
    }
    switch (type) {
      case 1: // true
      case 2: // false: the type is the value, except in a list
        if (inList) this.#skip(1);
        return;
      case 3: // a byte
        return this.#skip(1);
      case 4: // 16, 32 and 64 bits
      case 5:
      case 6:
        this.#varint();
        return;
      case 7: // a double
        return this.#skip(8);
      case 8: // bytes
        return this.#skip(this.#varint());
      case 9: // a list
        return this.#list(depth);
      case 12:
        this.struct(depth + 1);
        return;
      default:
        throw new RangeError(`thrift: a value of type ${type} at byte ${this.#at}`);
    }
  }

  #list(depth: number): void {
    if (depth > MAX_DEPTH) throw new RangeError(`thrift: lists nested deeper than ${MAX_DEPTH}`);
    const byte = this.#byte();
    const count = byte >> 4 === 15 ? this.#varint() : byte >> 4;
    // Every element takes a byte at least.
    if (count > this.#bytes.length - this.#at) {
      throw new RangeError(
        `thrift: a list of ${count} in ${this.#bytes.length - this.#at} bytes that are left`,
      );
    }
    for (let i = 0; i < count; i++) this.#value(byte & 15, depth + 1, true);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined)
      throw new RangeError(`thrift: a struct passes its end at byte ${this.#at}`);
    this.#at++;
    return byte;
  }

  #skip(count: number): void {
    this.#at += count;
    if (this.#at > this.#bytes.length) {
      throw new RangeError(`thrift: a struct passes its end at byte ${this.#bytes.length}`);
    }
  }

  #varint(): number {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#byte();
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return value;
    }
    throw new RangeError(
      `thrift: a number longer than ${MAX_VARINT_BYTES} bytes at byte ${this.#at}`,
    );
  }
}
