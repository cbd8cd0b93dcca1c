/** @file Datasets as files, made here: npy, npz, safetensors. */
import { zipSync } from "fflate";

type Bytes = Uint8Array<ArrayBuffer>;

/** A .npy file (version 1.0). */
export function npy(descr: string, shape: number[], data: Uint8Array): Bytes {
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const header = `${dict.padEnd(117)}\n`;
  const bytes = new Uint8Array(10 + header.length + data.length);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length, 0]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(data, 10 + header.length);
  return bytes;
}

/** `rows` images of [2, 3] uint8 and their labels, in one .npz. */
export function digitsNpz(rows = 10, labels = rows): Bytes {
  const image = Uint8Array.from({ length: rows * 6 }, (_, i) => i % 251);
  const label = new Uint8Array(
    BigInt64Array.from({ length: labels }, (_, i) => BigInt(i % 10)).buffer,
  );
  return new Uint8Array(
    zipSync(
      { "image.npy": npy("|u1", [rows, 2, 3], image), "label.npy": npy("<i8", [labels], label) },
      // A zip has times: the same rows are to be the same file.
      { mtime: "2026-01-01T00:00:00" },
    ),
  );
}

export function safetensors(header: object, data: Uint8Array): Bytes {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** The bytes of a `?url&inline` import. */
export function inlined(dataUrl: string): Bytes {
  const base64 = dataUrl.slice(dataUrl.indexOf(",") + 1);
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
