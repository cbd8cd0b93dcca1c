/**
 * @file How many conversions run at once in this isolate: each may take 24 MiB of scratch memory and
 * ONNX Runtime's heap, and an isolate has 128 MB.
 *
 * Waiting is by short sleeps: a promise that another request resolves would leave a waiting request without
 * anything pending of its own, which the platform takes for a hang. A holder whose request was cut off runs
 * no `finally`; its turn ends when its heartbeat stops.
 */
import { ApiError } from "../problem/api-error.ts";

const MAX_RUNNING = 2;
const MAX_WAITING = 64;
const POLL_MS = 20;
const HEARTBEAT_MS = 2_000;
/** One synchronous stretch of ONNX Runtime may block the isolate, heartbeats included. */
const DEAD_MS = 60_000;

interface Turn {
  seenAt: number;
}

const running = new Set<Turn>();
const waiting: Turn[] = [];

/**
 * Runs `work` when it is its turn, first come, first served.
 * @throws ApiError `overloaded` when `MAX_WAITING` others wait
 */
export async function inTurn<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  await myTurn(signal);
  const turn: Turn = { seenAt: Date.now() };
  running.add(turn);
  const heartbeat = setInterval(() => {
    turn.seenAt = Date.now();
  }, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    running.delete(turn);
  }
}

async function myTurn(signal: AbortSignal | undefined): Promise<void> {
  if (waiting.length >= MAX_WAITING) {
    throw new ApiError(
      "overloaded",
      `${waiting.length} conversions wait already`,
      {},
      { "Retry-After": "10" },
    );
  }
  const ticket: Turn = { seenAt: Date.now() };
  waiting.push(ticket);
  try {
    while (waiting[0] !== ticket || !roomToRun()) {
      await scheduler.wait(POLL_MS);
      signal?.throwIfAborted();
      ticket.seenAt = Date.now();
      dropDead();
    }
  } finally {
    const place = waiting.indexOf(ticket);
    if (place >= 0) waiting.splice(place, 1);
  }
}

function roomToRun(): boolean {
  const now = Date.now();
  for (const turn of running) if (now - turn.seenAt > DEAD_MS) running.delete(turn);
  return running.size < MAX_RUNNING;
}

/** Those who wait look at the clock every 20 ms, unless their request is gone. */
function dropDead(): void {
  const now = Date.now();
  while (waiting[0] && now - waiting[0].seenAt > DEAD_MS) waiting.shift();
}
