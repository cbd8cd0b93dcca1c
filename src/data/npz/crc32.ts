/** @file CRC-32 (ISO 3309, polynomial 0xEDB88320), four bytes at a time. */

/** `TABLES[k][b]`: the CRC of byte `b` followed by `k` zero bytes. */
const TABLES = makeTables();

function makeTables(): Int32Array[] {
  const first = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    first[byte] = crc;
  }
  const tables = [first];
  for (let k = 1; k < 4; k++) {
    const before = tables[k - 1] ?? first;
    tables.push(before.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] ?? 0)));
  }
  return tables;
}

/** The checksum of `bytes`, or of bytes before them (whose checksum is `crc`) and them. */
export function crc32(bytes: Uint8Array, crc = 0): number {
  const [t0, t1, t2, t3] = TABLES as [Int32Array, Int32Array, Int32Array, Int32Array];
  const at = (table: Int32Array, index: number) => table[index & 0xff] ?? 0;
  let c = ~crc;
  let i = 0;
  for (const whole = bytes.length - 3; i < whole; i += 4) {
    c ^=
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    c = at(t3, c) ^ at(t2, c >>> 8) ^ at(t1, c >>> 16) ^ at(t0, c >>> 24);
  }
  for (; i < bytes.length; i++) c = (c >>> 8) ^ at(t0, c ^ (bytes[i] ?? 0));
  return ~c >>> 0;
}
