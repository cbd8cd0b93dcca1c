/** @file The WebSockets of a pool's runners, which hibernate while nothing is said: who is on which, and since when. */
import { type FromPool, MAX_MESSAGE_BYTES } from "../../runner/protocol.ts";

/** What a line knows of itself, also after hibernation. */
export interface Line {
  tokenId: string;
  /** The service's address as the runner sees it. */
  origin: string;
  connectedAt: number;
  /** Once it has said hello. */
  runner: string | null;
}

export class RunnerLines {
  readonly #ctx: DurableObjectState;
  /** By runner. */
  readonly #sockets = new Map<string, WebSocket>();

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  get size(): number {
    return this.#sockets.size;
  }

  has(runner: string): boolean {
    return this.#sockets.has(runner);
  }

  /** Every line, with or without a runner that has said hello. */
  all(): WebSocket[] {
    return this.#ctx.getWebSockets();
  }

  /** Lines by runner. */
  entries(): [string, WebSocket][] {
    return [...this.#sockets];
  }

  socket(runner: string): WebSocket | undefined {
    return this.#sockets.get(runner);
  }

  /** The answer to the upgrade of a runner whose token was checked. */
  accept(request: Request): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    const line: Line = {
      tokenId: request.headers.get("Hone-Token-Id") ?? "",
      origin: new URL(request.url).origin,
      connectedAt: Date.now(),
      runner: null,
    };
    server.serializeAttachment(line);
    const protocol = request.headers.get("Hone-Subprotocol");
    return new Response(null, {
      status: 101,
      webSocket: client,
      headers: protocol ? { "Sec-WebSocket-Protocol": protocol } : {},
    });
  }

  /** The line is this runner's. @returns the one that it had before */
  take(runner: string, socket: WebSocket): WebSocket | undefined {
    const before = this.#sockets.get(runner);
    this.#sockets.set(runner, socket);
    const line: Line = { ...lineOf(socket), runner };
    socket.serializeAttachment(line);
    if (!before || before === socket) return undefined;
    before.serializeAttachment({ ...lineOf(before), runner: null } satisfies Line);
    return before;
  }

  /** The line is gone. @returns its runner, unless that has another one by now */
  lose(socket: WebSocket): string | undefined {
    const { runner } = lineOf(socket);
    if (runner === null || this.#sockets.get(runner) !== socket) return undefined;
    this.#sockets.delete(runner);
    return runner;
  }

  send(runner: string, message: FromPool): void {
    const text = JSON.stringify(message);
    if (text.length > MAX_MESSAGE_BYTES) throw new Error(`runner: ${message.type} is too long`);
    this.#sockets.get(runner)?.send(text);
  }

  /** When a runner that is connected last gave a sign of life. */
  heardAt(runner: string): number | undefined {
    const socket = this.#sockets.get(runner);
    if (!socket) return undefined;
    const ponged = this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    return Math.max(ponged, lineOf(socket).connectedAt);
  }
}

export function lineOf(socket: WebSocket): Line {
  return socket.deserializeAttachment() as Line;
}

export function closeLine(socket: WebSocket | undefined, code: number, reason: string): void {
  try {
    // RFC 6455: a reason has at most 123 bytes.
    socket?.close(code, reason.slice(0, 120));
  } catch {
    // It is closed already.
  }
}
