/**
 * @file multipart/form-data as a stream (RFC 7578, RFC 2046 §5.1): parts of any size go straight to their sinks.
 * `Request.formData()` would hold all of them in memory.
 */
import { Buffer } from "node:buffer";
import { ApiError } from "../problem/api-error.ts";

const MAX_HEADER_BYTES = 16 << 10;
const MAX_PARTS = 1000;
const CRLF = Buffer.from("\r\n");
const END_OF_HEADERS = Buffer.from("\r\n\r\n");

export interface PartHeader {
  name: string;
  filename: string | undefined;
}

/** Takes a part's bytes; each chunk is only lent. */
export type PartWriter = (bytes: Uint8Array) => Promise<void>;

/** The boundary of a multipart/form-data content type, or `undefined` for another type. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^multipart\/form-data\b/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw invalid("its Content-Type has no boundary");
  return boundary;
}

/**
 * Reads all parts in order; `open` says where a part's bytes go.
 * @throws ApiError `invalid_multipart`
 */
export async function readMultipart(
  chunks: AsyncIterable<Uint8Array>,
  boundary: string,
  open: (header: PartHeader) => Promise<PartWriter>,
): Promise<void> {
  const window = new Window(chunks);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first delimiter has no line break before it, unless there is a preamble.
  window.prepend(CRLF);
  if (!(await window.sendUntil(delimiter, async () => undefined)))
    throw invalid("it has no boundary line");
  for (let parts = 0; ; parts++) {
    const after = await window.take(2);
    if (after.toString("latin1") === "--") return;
    if (!after.equals(CRLF)) throw invalid("a boundary line goes on after the boundary");
    if (parts === MAX_PARTS) throw invalid(`it has more than ${MAX_PARTS} parts`);
    const write = await open(await readHeader(window));
    if (!(await window.sendUntil(delimiter, write))) throw invalid("it ends within a part");
  }
}

async function readHeader(window: Window): Promise<PartHeader> {
  const lines: Uint8Array[] = [];
  let length = 0;
  window.prepend(CRLF);
  const found = await window.sendUntil(END_OF_HEADERS, async (bytes) => {
    length += bytes.length;
    if (length > MAX_HEADER_BYTES)
      throw invalid(`a part's header passes ${MAX_HEADER_BYTES} bytes`);
    lines.push(bytes.slice());
  });
  if (!found) throw invalid("it ends within a part's header");
  const text = Buffer.concat(lines).toString("utf8");
  const disposition = /^content-disposition:\s*form-data\b(.*)$/im.exec(text)?.[1];
  const name = disposition === undefined ? undefined : parameter(disposition, "name");
  if (disposition === undefined || name === undefined) throw invalid("a part has no name");
  return { name, filename: parameter(disposition, "filename") };
}

/** Quoted or bare; browsers escape `"` as %22, curl as \". */
function parameter(disposition: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"((?:\\\\.|[^"\\\\])*)"|([^\\s;]+))`, "i").exec(
    disposition,
  );
  const value = match?.[1]?.replaceAll(/\\(["\\])/g, "$1") ?? match?.[2];
  return value?.replaceAll("%22", '"');
}

/** What was read and not used yet. */
class Window {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  prepend(bytes: Buffer): void {
    this.#bytes = Buffer.concat([bytes, this.#bytes]);
  }

  /** Exactly `count` bytes. */
  async take(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) {
      if (!(await this.#more())) throw invalid("it ends early");
    }
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  /** Sends what comes before `delimiter` and steps over it; false when the body ends first. */
  async sendUntil(delimiter: Buffer, write: PartWriter): Promise<boolean> {
    for (;;) {
      const at = this.#bytes.indexOf(delimiter);
      if (at >= 0) {
        if (at > 0) await write(this.#bytes.subarray(0, at));
        this.#bytes = this.#bytes.subarray(at + delimiter.length);
        return true;
      }
      // The end may be the beginning of a delimiter.
      const sure = this.#bytes.length - delimiter.length + 1;
      if (sure > 0) {
        await write(this.#bytes.subarray(0, sure));
        this.#bytes = this.#bytes.subarray(sure);
      }
      if (!(await this.#more())) return false;
    }
  }

  /** A chunk's buffer is reused by its reader, so what is left of the last one moves in front of the next. */
  async #more(): Promise<boolean> {
    const rest = Buffer.from(this.#bytes);
    const { value, done } = await this.#chunks.next();
    if (done) return false;
    this.#bytes =
      rest.length === 0
        ? Buffer.from(value.buffer, value.byteOffset, value.length)
        : Buffer.concat([rest, value]);
    return true;
  }
}

function invalid(reason: string): ApiError {
  return new ApiError("invalid_multipart", `the multipart body is not valid: ${reason}`);
}
