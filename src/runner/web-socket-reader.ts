/** @file What a WebSocket server sends (RFC 6455, section 5), as it comes in: frames cut anywhere, into messages. */

export const OPCODE = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

/** The longest message that a Worker sends or takes. */
const MAX_BYTES = 32 << 20;
/** Frames from this opcode on are controls: short, whole, between the parts of others. */
const CONTROLS = 8;
/** Flags and opcode, length, and eight bytes of a long one. */
const LONGEST_HEADER = 10;

export interface WebSocketEvents {
  message(data: string | ArrayBuffer): void;
  control(opcode: number, data: Uint8Array): void;
}

interface OpenFrame {
  opcode: number;
  isLast: boolean;
  bytes: Uint8Array<ArrayBuffer>;
  filled: number;
}

export class WebSocketReader {
  readonly #events: WebSocketEvents;
  readonly #header = new Uint8Array(LONGEST_HEADER);
  #headerBytes = 0;
  #frame: OpenFrame | undefined;
  /** Of a message in several frames. */
  #parts: Uint8Array[] = [];
  #opcode = 0;

  constructor(events: WebSocketEvents) {
    this.#events = events;
  }

  /** @throws RangeError for what is no frame of a server's */
  read(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length || this.#frame?.filled === this.#frame?.bytes.length) {
      const frame = this.#frame;
      if (!frame) {
        if (at === chunk.length) return;
        this.#header[this.#headerBytes++] = chunk[at++] ?? 0;
        this.#frame = this.#opened();
        continue;
      }
      const part = chunk.subarray(at, at + frame.bytes.length - frame.filled);
      frame.bytes.set(part, frame.filled);
      frame.filled += part.length;
      at += part.length;
      if (frame.filled < frame.bytes.length) return;
      this.#frame = undefined;
      this.#finished(frame);
    }
  }

  /** The frame, once its header is whole. */
  #opened(): OpenFrame | undefined {
    const [flags = 0, size = 0] = this.#header;
    const short = size & 0x7f;
    const extended = short < 126 ? 0 : short === 126 ? 2 : 8;
    if (this.#headerBytes < 2 + extended) return undefined;
    if (size & 0x80 || flags & 0x70) throw new RangeError("line: a frame that no server sends");
    const view = new DataView(this.#header.buffer);
    const length =
      extended === 0 ? short : extended === 2 ? view.getUint16(2) : Number(view.getBigUint64(2));
    if (length > MAX_BYTES) {
      throw new RangeError(`line: a frame of ${length} bytes, ${MAX_BYTES} are taken`);
    }
    this.#headerBytes = 0;
    return {
      opcode: flags & 0x0f,
      isLast: (flags & 0x80) !== 0,
      bytes: new Uint8Array(length),
      filled: 0,
    };
  }

  #finished({ opcode, isLast, bytes }: OpenFrame): void {
    if (opcode >= CONTROLS) return this.#events.control(opcode, bytes);
    if (opcode !== OPCODE.continuation) this.#opcode = opcode;
    if (!isLast || this.#parts.length > 0) {
      this.#parts.push(bytes);
      const total = this.#parts.reduce((sum, part) => sum + part.length, 0);
      if (total > MAX_BYTES)
        throw new RangeError(`line: a message of more than ${MAX_BYTES} bytes`);
      if (!isLast) return;
    }
    const whole = this.#parts.length > 0 ? joined(this.#parts) : bytes;
    this.#parts = [];
    const isText = this.#opcode === OPCODE.text;
    this.#events.message(isText ? new TextDecoder().decode(whole) : whole.buffer);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
