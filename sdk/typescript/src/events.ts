/** @file Server-sent events as an async iterator that takes up again where the line broke. */
import { EventSourceParserStream } from "eventsource-parser/stream";
import { ConnectionError, ServerError } from "./errors.ts";
import { pause } from "./retry.ts";

export interface StreamEvent {
  id: string | undefined;
  type: string;
  data: unknown;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** Broken lines in a row without an event between them. */
const MAX_BREAKS = 8;

/**
 * Yields events until `isLast` says that no more come. When the stream ends before that, it is opened again with
 * the last event's id, so that each event is seen once.
 * @param open the answer whose body has the events after `lastEventId`
 */
export async function* followEvents(
  open: (lastEventId: string | undefined) => Promise<ReadableStream<Uint8Array>>,
  isLast: (event: StreamEvent) => boolean,
  signal?: AbortSignal,
): AsyncGenerator<StreamEvent> {
  let lastEventId: string | undefined;
  for (let breaks = 0; ; breaks++) {
    try {
      for await (const event of parse(await open(lastEventId))) {
        breaks = 0;
        lastEventId = event.id ?? lastEventId;
        yield event;
        if (isLast(event)) return;
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!isBreak(error) || breaks >= MAX_BREAKS) throw error;
    }
    if (breaks >= MAX_BREAKS) throw new ConnectionError("the events end before the job does");
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** breaks);
    await pause(Math.random() * longest, signal);
  }
}

async function* parse(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>;
  const reader = body.pipeThrough(decoder).pipeThrough(new EventSourceParserStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield { id: value.id, type: value.event ?? "message", data: JSON.parse(value.data) };
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** What `fetch` throws when a line breaks (TypeError), and what the service says when it is about to be back. */
function isBreak(error: unknown): boolean {
  return (
    error instanceof ConnectionError || error instanceof ServerError || error instanceof TypeError
  );
}
