/**
 * @file A WebSocket client (RFC 6455) of Node's own sockets, for the line to a rank. Node's WebSocket masks every byte in
 * JavaScript, which takes longer than the network; here the mask's key is 0, which changes nothing:
 * it is there to keep pages from writing what proxies would take for requests, and no page chooses these bytes.
 */
import { createHash, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { Line } from "./line.ts";
import { OPCODE, WebSocketReader } from "./web-socket-reader.ts";

/** RFC 6455, section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** What may wait to be sent. */
const BUFFERED_BYTES = 4 << 20;
const FINAL = 0x80;
const MASKED = 0x80;

/** @throws Error when it cannot be opened */
export async function openNodeLine(url: string, signal: AbortSignal): Promise<Line> {
  signal.throwIfAborted();
  const { socket, head } = await upgrade(url, signal);
  socket.setNoDelay(true);
  const messages: (string | ArrayBuffer)[] = [];
  let ended: Error | undefined;
  let wake = () => {};
  const end = (error: Error) => {
    ended ??= error;
    socket.destroy();
    wake();
  };
  const write = (opcode: number, bytes: Uint8Array) => {
    if (!socket.writable) return;
    socket.cork();
    socket.write(header(opcode, bytes.length));
    socket.write(bytes);
    socket.uncork();
  };
  const reader = new WebSocketReader({
    message(data) {
      messages.push(data);
      wake();
    },
    control(opcode, data) {
      if (opcode === OPCODE.ping) return write(OPCODE.pong, data);
      if (opcode !== OPCODE.close) return;
      const code = data.length < 2 ? 1005 : ((data[0] ?? 0) << 8) | (data[1] ?? 0);
      const reason = new TextDecoder().decode(data.subarray(2));
      end(new Error(`the line to the rank closed: ${reason || code}`));
    },
  });
  const read = (chunk: Uint8Array) => {
    try {
      reader.read(chunk);
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)));
    }
  };
  socket.on("data", read);
  socket.on("close", () => end(new Error("the line to the rank closed")));
  socket.on("error", (error) => end(new Error(`the line to the rank broke: ${error.message}`)));
  signal.addEventListener("abort", () => end(signal.reason as Error));
  if (signal.aborted) end(signal.reason as Error);
  if (head.length > 0) read(head);
  const changed = async (): Promise<void> =>
    await new Promise((resolve) => {
      wake = resolve;
    });
  return {
    async next() {
      for (;;) {
        const message = messages.shift();
        if (message !== undefined) return message;
        if (ended) throw ended;
        await changed();
      }
    },
    async send(message) {
      while (!ended && socket.writableLength > BUFFERED_BYTES) await drained(socket);
      if (ended) throw ended;
      if (typeof message === "string") write(OPCODE.text, new TextEncoder().encode(message));
      else write(OPCODE.binary, message);
    },
    close() {
      write(OPCODE.close, Uint8Array.of(1000 >> 8, 1000 & 255));
      socket.end();
    },
  };
}

async function upgrade(
  url: string,
  signal: AbortSignal,
): Promise<{ socket: Socket; head: Uint8Array }> {
  const address = new URL(url);
  const isSecure = address.protocol === "wss:";
  address.protocol = isSecure ? "https:" : "http:";
  const key = randomBytes(16).toString("base64");
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": key,
  };
  const open = isSecure ? httpsRequest : httpRequest;
  return await new Promise((resolve, reject) => {
    const request = open(address.href, { headers, signal });
    request.on("error", reject);
    request.on("response", ({ statusCode }) => {
      request.destroy();
      reject(new Error(`the rank answered ${statusCode}`));
    });
    request.on("upgrade", (response, socket, head) => {
      const accepted = createHash("sha1")
        .update(key + GUID)
        .digest("base64");
      if (response.headers["sec-websocket-accept"] === accepted) return resolve({ socket, head });
      socket.destroy();
      reject(new Error("the rank's answer is no WebSocket's"));
    });
    request.end();
  });
}

/** Of a whole message; the four bytes at its end are the mask's key. */
function header(opcode: number, length: number): Uint8Array {
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const bytes = new Uint8Array(2 + extended + 4);
  const view = new DataView(bytes.buffer);
  bytes[0] = FINAL | opcode;
  bytes[1] = MASKED | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, length);
  if (extended === 8) view.setBigUint64(2, BigInt(length));
  return bytes;
}

/** Some of what waits was sent, or the socket ended. */
async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}
