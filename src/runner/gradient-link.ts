/**
 * @file The line between a rank and the runner that computes its gradients: a WebSocket of its own, opened by the runner.
 *
 * What travels in a step: to the runner the batch, and the vector of parameters and buffers where it has changed (each
 * step of the optimizer, which is done by the ranks); back the gradients with the buffers' next values. Nothing else:
 * frozen weights and constants are in the graphs, which are fetched once. `vector-encoding.ts` says in which bits.
 *
 * Text is JSON and controls; binary frames carry data, little-endian: type, run, index (of the batch's field), offset
 * (bytes), each a uint32, then the bytes. Frames of a kind come in order without gaps.
 */
import { z } from "zod";
import { LINE_CODECS } from "./vector-encoding.ts";

/** WebSockets between Node and Workers are fastest with frames of this size. */
const FRAME_BYTES = 1 << 20;
const HEADER_BYTES = 16;
/** Data of one frame: whole float32. */
const CHUNK_BYTES = FRAME_BYTES - HEADER_BYTES;
/** Longest text of a runner; a rank's, with a layout in it, may be longer. */
const MAX_TEXT = 16 * 1024;

/** WebSocket close codes of the rank. */
export const LINK_CLOSE = {
  /** The lease is over, or the rank is not waiting for it. */
  over: 4403,
  /** The runner broke the protocol. */
  refused: 4402,
} as const;

export const FRAME = { vector: 1, field: 2, gradient: 3 } as const;
type FrameType = (typeof FRAME)[keyof typeof FRAME];

export interface Frame {
  type: number;
  run: number;
  /** Of a batch's field; else 0. */
  index: number;
  /** Bytes before it. */
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
}

const text = z.string().max(2000);
const size = z.number().int().nonnegative();

const Entry = z.object({
  name: z.string(),
  dims: z.array(size),
  /** Elements. */
  offset: size,
  length: size,
  /** The step's output that goes back. */
  gradient: z.string(),
});
export type LinkEntry = z.infer<typeof Entry>;

const Field = z.object({
  name: z.string(),
  /** ONNX's number. */
  data_type: z.number().int(),
  dims: z.array(size),
  bytes: size,
});

export const ToRunner = z.discriminatedUnion("type", [
  /** The first message: how the vector is laid out. */
  z.object({
    type: z.literal("begin"),
    entries: z.array(Entry),
    length: size,
    /** Elements of the parameters, which come first. */
    parameters: size,
    /** How parameters and their gradients may travel. */
    codec: z.enum(LINE_CODECS),
  }),
  z.object({
    type: z.literal("run"),
    /** Counts up on a line. */
    run: z.number().int().positive(),
    what: z.enum(["gradients", "evaluate"]),
    rows: size,
    seed: z.number().int().nonnegative(),
    /** The vector comes anew; else it is as in the run before. */
    vector: z.boolean(),
    /** As what it has changed by, in the codec's bits; else in float32. */
    change: z.boolean(),
    fields: z.array(Field),
  }),
  /** All is done. */
  z.object({ type: z.literal("release") }),
]);
export type ToRunner = z.infer<typeof ToRunner>;
export type LinkRun = Extract<ToRunner, { type: "run" }>;

export const ToRank = z.discriminatedUnion("type", [
  /** A runner that does not know codecs names none. */
  z.object({ type: z.literal("ready"), codec: z.enum(LINE_CODECS).optional() }),
  /** Bytes of frames that were taken, of all so far. */
  z.object({ type: z.literal("took"), bytes: size }),
  z.object({
    type: z.literal("done"),
    run: z.number().int(),
    /** `null`: NaN or infinite, which JSON has no word for. */
    loss: z.number().nullable(),
    correct: z.number().nullable(),
    count: z.number().nonnegative(),
  }),
  z.object({ type: z.literal("failed"), message: text }),
]);
export type ToRank = z.infer<typeof ToRank>;

/** A message of the other side's text. @throws RangeError saying what is wrong with it */
export function parseLinkText<T>(schema: z.ZodType<T>, message: string, limit = MAX_TEXT): T {
  if (message.length > limit) {
    throw new RangeError(`link: a message of ${message.length} characters, ${limit} are taken`);
  }
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    throw new RangeError("link: a message is not JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new RangeError(`link: ${issue?.path.join(".") || "message"}: ${issue?.message}`);
}

/** Frames of `bytes`, the first of which is at `offset`; each is overwritten by the next: a line copies what it sends. */
export function* frames(
  type: FrameType,
  { run, index = 0, offset = 0 }: { run: number; index?: number; offset?: number },
  bytes: Uint8Array,
): Generator<Uint8Array<ArrayBuffer>> {
  const frame = new Uint8Array(HEADER_BYTES + Math.min(CHUNK_BYTES, bytes.length));
  const header = new DataView(frame.buffer);
  header.setUint32(0, type, true);
  header.setUint32(4, run, true);
  header.setUint32(8, index, true);
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const part = bytes.subarray(at, at + CHUNK_BYTES);
    header.setUint32(12, offset + at, true);
    frame.set(part, HEADER_BYTES);
    yield frame.subarray(0, HEADER_BYTES + part.length);
  }
}

/** A frame of its own memory: for a line that does not copy. */
export interface OpenFrame {
  /** What is to be filled. */
  data: Uint8Array<ArrayBuffer>;
  /** The frame with so many bytes of data. */
  close: (bytes: number) => Uint8Array<ArrayBuffer>;
}

export function openFrame(
  type: FrameType,
  { run, offset }: { run: number; offset: number },
): OpenFrame {
  const frame = new Uint8Array(FRAME_BYTES);
  new Uint32Array(frame.buffer, 0, HEADER_BYTES / 4).set([type, run, 0, offset]);
  return {
    data: frame.subarray(HEADER_BYTES),
    close: (bytes) => frame.subarray(0, HEADER_BYTES + bytes),
  };
}

/** @throws RangeError for what is no frame; its data is a view */
export function readFrame(data: ArrayBuffer): Frame {
  const { byteLength } = data;
  if (byteLength <= HEADER_BYTES || byteLength > FRAME_BYTES) {
    throw new RangeError(
      `link: a frame of ${byteLength} bytes, ${HEADER_BYTES + 1} to ${FRAME_BYTES} are taken`,
    );
  }
  const header = new DataView(data);
  return {
    type: header.getUint32(0, true),
    run: header.getUint32(4, true),
    index: header.getUint32(8, true),
    offset: header.getUint32(12, true),
    bytes: new Uint8Array(data, HEADER_BYTES),
  };
}
