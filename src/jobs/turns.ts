/**
 * @file How many conversions run at once in this isolate: each may take 24 MiB of scratch memory beside its
 * model and ONNX Runtime's heap, and an isolate has 128 MB.
 *
 * Waiting is by short sleeps: a promise that another request resolves would leave a waiting request without
 * anything pending of its own, which the platform takes for a hang. A request that is cut off, or an object
 * that is reset, runs no `finally`, so all give signs of life, and those that stop are dropped. Their
 * clock ticks only while the isolate is free: ONNX Runtime may block everybody for seconds.
 */
import { ApiError } from "../problem/api-error.ts";

const MAX_RUNNING = 2;
const MAX_WAITING = 64;
const TICK_MS = 20;
const HEARTBEAT_MS = 200;
/** Ticks without a sign of life: one second. */
const MAX_SILENCE = 50;

interface Turn {
  seenAt: number;
}

const running = new Set<Turn>();
const waiting: Turn[] = [];
let ticks = 0;
let tickedAt = 0;

/**
 * Runs `work` when it is its turn, first come, first served.
 * @throws ApiError `overloaded` when `MAX_WAITING` others wait; the signal's reason when it is aborted before
 */
export async function inTurn<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const turn = await myTurn(signal);
  const heartbeat = setInterval(() => showLife(turn), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    running.delete(turn);
  }
}

/** Whether one more may wait; who finds no place asks again later, at no cost. */
export function hasPlace(): boolean {
  // Where all who waited died, nobody else would move the clock.
  tick();
  dropDead();
  return waiting.length < MAX_WAITING;
}

async function myTurn(signal: AbortSignal | undefined): Promise<Turn> {
  if (!hasPlace()) {
    throw new ApiError(
      "overloaded",
      `${waiting.length} conversions wait already`,
      {},
      {
        "Retry-After": "10",
      },
    );
  }
  const turn: Turn = { seenAt: ticks };
  waiting.push(turn);
  try {
    while (waiting[0] !== turn || running.size >= MAX_RUNNING) {
      await scheduler.wait(TICK_MS);
      signal?.throwIfAborted();
      showLife(turn);
      dropDead();
      // After a long block others may have taken this one for dead.
      if (!waiting.includes(turn)) waiting.push(turn);
    }
    running.add(turn);
    return turn;
  } finally {
    const place = waiting.indexOf(turn);
    if (place >= 0) waiting.splice(place, 1);
  }
}

function showLife(turn: Turn): void {
  tick();
  turn.seenAt = ticks;
}

function tick(): void {
  const now = Date.now();
  if (now - tickedAt >= TICK_MS) {
    ticks++;
    tickedAt = now;
  }
}

function dropDead(): void {
  const dead = (turn: Turn) => ticks - turn.seenAt > MAX_SILENCE;
  for (const turn of running) if (dead(turn)) running.delete(turn);
  for (let place = waiting.length - 1; place >= 0; place--) {
    const turn = waiting[place];
    if (turn && dead(turn)) waiting.splice(place, 1);
  }
}
