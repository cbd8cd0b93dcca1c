/**
 * @file A zip archive by its central directory: what is in it, and each entry's bytes as a stream.
 *
 * Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3 (ZIP64). Stored and deflated entries;
 * no encryption, no archives of several disks. What an entry unpacks to is held against what the directory
 * says (size and CRC-32), so an archive cannot unpack to more than it was accepted for.
 */
import { Inflate } from "fflate";
import type { ByteSource } from "../../onnx/source.ts";
import { DatasetError } from "../dataset.ts";
import { bytesAt, chunksOf } from "../plan.ts";
import { crc32 } from "./crc32.ts";

const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const ZIP64_LOCATOR_BYTES = 20;
const LOCAL_HEADER_BYTES = 30;
const CENTRAL_HEADER_BYTES = 46;
const MAX_DIRECTORY_BYTES = 1 << 20;
/** DEFLATE grows by at most 1032, so one piece gives at most 17 MB. */
const PIECE_BYTES = 16 << 10;

export interface ZipEntry {
  name: string;
  deflated: boolean;
  packedBytes: number;
  bytes: number;
  crc: number;
  headerOffset: number;
}

const invalid = (message: string) => new DatasetError("invalid_dataset", `zip: ${message}`);

/**
 * The archive's entries, in the directory's order.
 * @throws DatasetError when the directory is missing, broken or over its limits
 */
export async function readZipDirectory(source: ByteSource): Promise<ZipEntry[]> {
  const { offset, length, count } = await findDirectory(source);
  if (length > MAX_DIRECTORY_BYTES) {
    throw invalid(`the directory has ${length} bytes, at most ${MAX_DIRECTORY_BYTES} are read`);
  }
  if (offset + length > source.size) {
    throw invalid(`the directory ends at ${offset + length}, the file at ${source.size}`);
  }
  const bytes = await bytesAt(source, offset, length);
  const entries: ZipEntry[] = [];
  for (let at = 0; at < bytes.length;) {
    const { entry, next } = readEntry(bytes, at, source.size);
    entries.push(entry);
    at = next;
  }
  if (entries.length !== count) {
    throw invalid(`the directory has ${entries.length} entries, its end says ${count}`);
  }
  return entries;
}

interface Directory {
  offset: number;
  length: number;
  count: number;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const tailLength = Math.min(source.size, END_BYTES + MAX_COMMENT_BYTES + ZIP64_LOCATOR_BYTES);
  const tail = await bytesAt(source, source.size - tailLength, tailLength);
  const view = viewOf(tail);
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) !== tail.length) continue;
    if (view.getUint16(at + 4, true) !== 0) throw invalid("the archive has several disks");
    const locator = at - ZIP64_LOCATOR_BYTES;
    if (locator >= 0 && view.getUint32(locator, true) === 0x07064b50) {
      return await zip64Directory(source, safeInteger(view, locator + 8));
    }
    return {
      count: view.getUint16(at + 10, true),
      length: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
  }
  throw invalid("the archive has no end record: the file is truncated, or no .npz");
}

async function zip64Directory(source: ByteSource, offset: number): Promise<Directory> {
  if (offset + 56 > source.size) throw invalid(`the ZIP64 end record at ${offset} is outside`);
  const view = viewOf(await bytesAt(source, offset, 56));
  if (view.getUint32(0, true) !== 0x06064b50) throw invalid("the ZIP64 end record is not one");
  return {
    count: safeInteger(view, 32),
    length: safeInteger(view, 40),
    offset: safeInteger(view, 48),
  };
}

function readEntry(
  directory: Uint8Array,
  at: number,
  fileBytes: number,
): { entry: ZipEntry; next: number } {
  const view = viewOf(directory);
  if (at + CENTRAL_HEADER_BYTES > directory.length || view.getUint32(at, true) !== 0x02014b50) {
    throw invalid(`the directory has no entry at byte ${at}`);
  }
  const nameLength = view.getUint16(at + 28, true);
  const extraLength = view.getUint16(at + 30, true);
  const nameEnd = at + CENTRAL_HEADER_BYTES + nameLength;
  const next = nameEnd + extraLength + view.getUint16(at + 32, true);
  if (next > directory.length) throw invalid(`the entry at byte ${at} passes the directory's end`);
  const name = new TextDecoder().decode(directory.subarray(at + CENTRAL_HEADER_BYTES, nameEnd));
  if ((view.getUint16(at + 8, true) & 1) !== 0) throw invalid(`"${name}" is encrypted`);
  const method = view.getUint16(at + 10, true);
  if (method !== 0 && method !== 8) {
    throw invalid(`"${name}" is packed by method ${method}; 0 (stored) and 8 (deflated) are read`);
  }
  const entry: ZipEntry = {
    name,
    deflated: method === 8,
    crc: view.getUint32(at + 16, true),
    packedBytes: view.getUint32(at + 20, true),
    bytes: view.getUint32(at + 24, true),
    headerOffset: view.getUint32(at + 42, true),
  };
  readZip64(view, nameEnd, nameEnd + extraLength, entry);
  if (!entry.deflated && entry.bytes !== entry.packedBytes) {
    throw invalid(`"${name}" is stored: its sizes ${entry.bytes} and ${entry.packedBytes} differ`);
  }
  if (entry.headerOffset + LOCAL_HEADER_BYTES + entry.packedBytes > fileBytes) {
    throw invalid(`"${name}" passes the file's end (${fileBytes} bytes): the file is truncated`);
  }
  return { entry, next };
}

/** The extra field 0x0001 has, in this order, those of the sizes and the offset that do not fit 32 bits. */
function readZip64(view: DataView, start: number, end: number, entry: ZipEntry): void {
  for (let at = start; at + 4 <= end;) {
    const id = view.getUint16(at, true);
    const fieldEnd = at + 4 + view.getUint16(at + 2, true);
    if (fieldEnd > end) return;
    if (id === 1) {
      let value = at + 4;
      for (const key of ["bytes", "packedBytes", "headerOffset"] as const) {
        if (entry[key] !== 0xffffffff) continue;
        if (value + 8 > fieldEnd) throw invalid(`"${entry.name}" misses a 64-bit size`);
        entry[key] = safeInteger(view, value);
        value += 8;
      }
    }
    at = fieldEnd;
  }
}

/**
 * The unpacked bytes of an entry; each chunk is only lent.
 * @throws DatasetError when they are not as many as the directory says, or their CRC-32 is another
 */
export async function* entryBytes(source: ByteSource, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const { name, headerOffset, packedBytes } = entry;
  const header = viewOf(await bytesAt(source, headerOffset, LOCAL_HEADER_BYTES));
  if (header.getUint32(0, true) !== 0x04034b50) {
    throw invalid(`"${name}" has no local header at byte ${headerOffset}`);
  }
  const start =
    headerOffset + LOCAL_HEADER_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  const end = start + packedBytes;
  if (end > source.size) throw invalid(`"${name}" ends at ${end}, the file at ${source.size}`);
  let crc = 0;
  let bytes = 0;
  for await (const chunk of entry.deflated
    ? inflated(source, start, end, name)
    : chunksOf(source, start, end)) {
    bytes += chunk.length;
    if (bytes > entry.bytes) {
      throw invalid(`"${name}" unpacks to more than the ${entry.bytes} bytes the directory says`);
    }
    crc = crc32(chunk, crc);
    yield chunk;
  }
  if (bytes !== entry.bytes) {
    throw invalid(`"${name}" unpacks to ${bytes} bytes, the directory says ${entry.bytes}`);
  }
  if (crc !== entry.crc)
    throw invalid(`"${name}" does not have the CRC-32 that the directory says`);
}

async function* inflated(
  source: ByteSource,
  start: number,
  end: number,
  name: string,
): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const inflate = new Inflate((chunk) => void ready.push(chunk));
  let left = end - start;
  for await (const piece of chunksOf(source, start, end, PIECE_BYTES)) {
    left -= piece.length;
    try {
      // fflate keeps what it did not use, so it gets bytes of its own.
      inflate.push(piece.slice(), left === 0);
    } catch (error) {
      throw invalid(
        `"${name}" is not valid DEFLATE: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    yield* ready.splice(0);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function safeInteger(view: DataView, at: number): number {
  const value = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(value)) throw invalid(`a size of ${value} bytes is not one`);
  return value;
}
