/** @file A WebSocket as a queue: messages are taken one after the other, and sent no faster than the line takes them. */

/** What may wait to be sent. */
const BUFFERED_BYTES = 4 << 20;
const PAUSE_MS = 2;

/** @throws Error when it cannot be opened */
export type OpenLine = (url: string, signal: AbortSignal) => Promise<Line>;

export interface Line {
  /** @throws Error once the line is closed, with the reason, or the signal's */
  next(): Promise<string | ArrayBuffer>;
  /** Bytes are not to be changed afterwards. */
  send(message: string | Uint8Array<ArrayBuffer>): Promise<void>;
  close(): void;
}

/** A WebSocket, whoever made it. */
export interface LineSocket {
  binaryType: string;
  readonly readyState: number;
  /** Bytes that wait to be sent. */
  readonly bufferedAmount: number;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "error", listener: (event: { message?: string }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { code: number; reason: string }) => void,
  ): void;
  send(message: string | Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
}

/** By the platform's WebSocket. */
export const openLine: OpenLine = async (url, signal) =>
  // The Workers' type has no word for what waits to be sent, pages and Node do.
  await lineOver(() => new WebSocket(url) as unknown as LineSocket, signal);

/** @throws Error when it cannot be opened */
export async function lineOver(open: () => LineSocket, signal: AbortSignal): Promise<Line> {
  signal.throwIfAborted();
  const socket = open();
  socket.binaryType = "arraybuffer";
  const messages: (string | ArrayBuffer)[] = [];
  let ended: Error | undefined;
  let wake = () => {};
  const end = (error: Error) => {
    ended ??= error;
    wake();
  };
  socket.addEventListener("message", ({ data }) => {
    messages.push(data as string | ArrayBuffer);
    wake();
  });
  socket.addEventListener("close", ({ code, reason }) =>
    end(new Error(`the line to the rank closed: ${reason || code}`)),
  );
  socket.addEventListener("error", ({ message }) =>
    end(new Error(`the line to the rank broke${message ? `: ${message}` : ""}`)),
  );
  signal.addEventListener("abort", () => {
    end(signal.reason as Error);
    socket.close(1000, "stopped");
  });
  const changed = async (): Promise<void> =>
    await new Promise((resolve) => {
      wake = resolve;
    });
  socket.addEventListener("open", () => wake());
  while (!ended && socket.readyState !== WebSocket.OPEN) await changed();
  if (ended) throw ended;
  return {
    async next() {
      for (;;) {
        // What came before the end still counts.
        const message = messages.shift();
        if (message !== undefined) return message;
        if (ended) throw ended;
        await changed();
      }
    },
    async send(message) {
      while (!ended && socket.bufferedAmount > BUFFERED_BYTES) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
      if (ended) throw ended;
      socket.send(message);
    },
    close: () => socket.close(1000, ""),
  };
}
