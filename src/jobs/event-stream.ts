/** @file Server-sent events of a job: what was, then what comes, until the job is over. */
import { isOver, type JobEvent, type JobView } from "./job-view.ts";

const HEARTBEAT_MS = 15_000;
const RETRY_MS = 2_000;

/** Those who are told of a job's events, in this life of its object. */
export class Listeners {
  readonly #listeners = new Set<(event: JobEvent) => void>();

  tell(event: JobEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  add(listener: (event: JobEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** @param past the events that the client has not seen */
export function eventStream(
  past: readonly JobEvent[],
  listeners: Listeners,
): ReadableStream<Uint8Array> {
  let stop = () => {};
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      const encoder = new TextEncoder();
      const send = (text: string) => controller.enqueue(encoder.encode(text));
      const tell = (event: JobEvent) => {
        send(`id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`);
        if (!endsJob(event)) return;
        stop();
        controller.close();
      };
      const heartbeat = setInterval(() => send(": still here\n\n"), HEARTBEAT_MS);
      const leave = listeners.add(tell);
      stop = () => {
        clearInterval(heartbeat);
        leave();
      };
      send(`retry: ${RETRY_MS}\n\n`);
      for (const event of past) tell(event);
    },
    cancel() {
      stop();
    },
  });
}

/** Resolves when the job is over or after `timeoutMs`. */
export function untilOver(listeners: Listeners, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      leave();
      resolve();
    };
    const timer = setTimeout(end, timeoutMs);
    const leave = listeners.add((event) => {
      if (endsJob(event)) end();
    });
  });
}

function endsJob({ type, data }: JobEvent): boolean {
  return type === "state" && isOver((data as JobView).state);
}
