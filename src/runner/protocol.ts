/**
 * @file What a runner and the pool say to each other, as JSON over one WebSocket that the runner opened.
 *
 * runner: hello → pool: welcome; then pool: task, runner: progress …, and done or failed. `drain` hands out nothing
 * more; `stop` takes a task back. Liveness is the text `ping`, which the platform answers with `pong` without waking
 * the pool. Weights, batches and results never travel here: they are fetched and put by short-lived signed
 * addresses, and a rank's gradients over a connection of their own (`gradient-link.ts`).
 */
import { z } from "zod";

/** A runner whose version is none of these is refused with the close code `REFUSED` and the reason. */
export const PROTOCOL_VERSIONS: readonly number[] = [1];
export const PING = "ping";
export const PONG = "pong";
/** How often a runner says `ping`. */
export const PING_MS = 10_000;
/** Longest message either side takes, in bytes; a longer one ends the connection. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

/** WebSocket close codes of the pool (RFC 6455: 4000–4999 are for applications). */
export const CLOSE = {
  /** The runner cannot serve here (version, a bad hello): it must not come back as it is. */
  refused: 4400,
  /** The token has expired or was revoked. */
  unauthorized: 4401,
  /** It broke the protocol. */
  protocolError: 4402,
  /** The pool heard no ping for three intervals. */
  silent: 4408,
  /** Another connection took the same runner's place. */
  replaced: 4409,
} as const;

export const TASK_KINDS = ["gradient", "evaluate", "calibrate", "verify", "benchmark"] as const;
export const TaskKind = z.enum(TASK_KINDS);
export type TaskKind = z.infer<typeof TaskKind>;

/** Where a runner computes, the fastest first. */
export const BACKENDS = ["cuda", "webgpu", "cpu", "wasm"] as const;
export const Backend = z.enum(BACKENDS);
export type Backend = z.infer<typeof Backend>;

const text = z.string().max(200);

/** What a runner is, in its own words. */
export const RunnerInfo = z.object({
  name: text,
  /** `browser` or `node`, and which: `Chrome 140 on Linux`. */
  platform: text,
  /** Of ONNX Runtime. */
  runtime: text,
  backends: z.array(Backend).min(1).max(BACKENDS.length),
  kinds: z.array(TaskKind).min(1).max(TASK_KINDS.length),
  /** The WebGPU adapter, where there is one. */
  adapter: z
    .object({
      vendor: text,
      architecture: text,
      description: text,
      /** `shader-f16`, `subgroups`, … */
      features: z.array(text).max(100),
      /** Largest buffer, in bytes. */
      max_buffer_bytes: z.number().int().positive(),
    })
    .nullable(),
  /** Largest model that it takes, in bytes. */
  max_model_bytes: z.number().int().positive(),
});
export type RunnerInfo = z.infer<typeof RunnerInfo>;

/** What a task asks of its runner; what is absent is not asked for. */
export const TaskNeeds = z.object({
  backends: z.array(Backend).min(1).optional(),
  features: z.array(text).max(20).optional(),
  model_bytes: z.number().int().nonnegative().optional(),
});
export type TaskNeeds = z.infer<typeof TaskNeeds>;

/** A blob to be read: GET with Range, until the address expires. */
export const BlobSource = z.object({
  url: z.string().max(4000),
  bytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BlobSource = z.infer<typeof BlobSource>;

/** Where one result may be put: PUT of at most `max_bytes`, once. */
export const BlobTarget = z.object({
  url: z.string().max(4000),
  max_bytes: z.number().int().positive(),
});
export type BlobTarget = z.infer<typeof BlobTarget>;

export const Task = z.object({
  id: z.string().max(100),
  kind: TaskKind,
  /** Which of the task's leases this is: every message about the task names it, and only the latest counts. */
  lease: z.number().int().positive(),
  /** By kind; see `tasks/*.ts`. */
  spec: z.record(z.string(), z.unknown()),
  sources: z.record(z.string(), BlobSource),
  targets: z.record(z.string(), BlobTarget),
});
export type Task = z.infer<typeof Task>;

const ofLease = { task: z.string().max(100), lease: z.number().int().positive() };

export const FromRunner = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    version: z.number().int(),
    /** The same after a broken line: the runner's task goes on if its lease still holds. */
    session: z.string().min(8).max(100),
    info: RunnerInfo,
    /** The lease that it still works on, after a broken line. */
    working: z.object(ofLease).nullable(),
  }),
  z.object({
    type: z.literal("progress"),
    ...ofLease,
    fraction: z.number().min(0).max(1),
    doing: text,
  }),
  z.object({ type: z.literal("done"), ...ofLease, result: z.record(z.string(), z.unknown()) }),
  z.object({
    type: z.literal("failed"),
    ...ofLease,
    message: z.string().max(2000),
    /** The task is at fault, not the runner: another one would fail too. */
    final: z.boolean(),
  }),
  /** Hands the task back, unfinished, and takes no more until the next `ready`. */
  z.object({ type: z.literal("hand_back"), ...ofLease }),
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("leaving") }),
]);
export type FromRunner = z.infer<typeof FromRunner>;

export const FromPool = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome"), runner: z.string(), version: z.number().int() }),
  z.object({ type: z.literal("task"), task: Task }),
  /** The lease is over (canceled, expired, finished elsewhere): stop, and say `ready`. */
  z.object({ type: z.literal("stop"), ...ofLease, reason: text }),
  /** Finish what is being done, then disconnect. */
  z.object({ type: z.literal("drain") }),
]);
export type FromPool = z.infer<typeof FromPool>;

/**
 * A message of the other side.
 * @throws RangeError saying what is wrong with it
 */
export function parseMessage<T>(schema: z.ZodType<T>, message: string): T {
  if (message.length > MAX_MESSAGE_BYTES) {
    throw new RangeError(
      `runner: a message of ${message.length} characters, at most ${MAX_MESSAGE_BYTES} are taken`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    throw new RangeError("runner: a message is not JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new RangeError(`runner: ${issue?.path.join(".") || "message"}: ${issue?.message}`);
}
