/** @file Node's line to a rank: whole messages whatever the network makes of them, and the reason when it ends. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNodeLine } from "../../../src/runner/node-line.ts";
import { WebSocketReader } from "../../../src/runner/web-socket-reader.ts";

const { signal } = new AbortController();
let server: Server;
let url: string;
let socket: Promise<Socket>;

beforeAll(async () => {
  server = createServer((_request, response) => response.writeHead(403).end());
  const accepted = Promise.withResolvers<Socket>();
  socket = accepted.promise;
  server.on("upgrade", ({ headers }, raw) => {
    const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    raw.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    accepted.resolve(raw as Socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => server.close());

/** A server's frame. */
function frame(opcode: number, payload: Uint8Array, isLast = true): Uint8Array {
  const long = payload.length >= 126;
  const head = long
    ? [payload.length >> 8, payload.length & 255].toSpliced(0, 0, 126)
    : [payload.length];
  return Uint8Array.from([(isLast ? 0x80 : 0) | opcode, ...head, ...payload]);
}

const bytes = (text: string) => new TextEncoder().encode(text);

function reading() {
  const messages: (string | ArrayBuffer)[] = [];
  const controls: [number, string][] = [];
  const reader = new WebSocketReader({
    message: (data) => messages.push(data),
    control: (opcode, data) => controls.push([opcode, new TextDecoder().decode(data)]),
  });
  return { messages, controls, reader };
}

describe("what comes in", () => {
  const sent = [
    frame(1, bytes("first")),
    frame(2, new Uint8Array(300).fill(7)),
    frame(1, bytes("in "), false),
    frame(9, bytes("are you there")),
    frame(0, bytes("two parts")),
    frame(2, new Uint8Array(0)),
    frame(8, Uint8Array.from([0x11, 0x33, ...bytes("over")])),
  ];
  const all = Uint8Array.from(sent.flatMap((each) => [...each]));

  it.each([1, 2, 3, 7, 64, 1000])("is the same in pieces of %i bytes", (size) => {
    const { messages, controls, reader } = reading();
    for (let at = 0; at < all.length; at += size) reader.read(all.subarray(at, at + size));
    expect(messages).toEqual([
      "first",
      new Uint8Array(300).fill(7).buffer,
      "in two parts",
      new ArrayBuffer(0),
    ]);
    expect(controls.map(([opcode]) => opcode)).toEqual([9, 8]);
  });

  it.each([
    ["masked", Uint8Array.of(0x82, 0x81, 0, 0, 0, 0, 1), /no server sends/],
    ["of an extension", Uint8Array.of(0xc2, 1, 1), /no server sends/],
    ["longer than any", Uint8Array.of(0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0), /4294967296 bytes/],
  ])("is refused when it is %s", (_name, chunk, reason) => {
    expect(() => reading().reader.read(chunk)).toThrow(reason);
  });
});

it("messages go both ways, and a close has its reason", async () => {
  const line = await openNodeLine(url, signal);
  const raw = await socket;
  const got: Buffer[] = [];
  raw.on("data", (chunk) => got.push(chunk));
  const body = new Uint8Array(70_000).map((_, i) => i);
  await line.send("hello");
  await line.send(body);
  await expect.poll(() => Buffer.concat(got).length).toBe(6 + 5 + 14 + body.length);
  const whole = Buffer.concat(got);
  expect(whole.subarray(0, 11)).toEqual(Buffer.from("\x81\x85\0\0\0\0hello", "latin1"));
  expect(whole.readBigUInt64BE(13)).toBe(BigInt(body.length));
  expect(whole.subarray(25)).toEqual(Buffer.from(body));
  raw.write(frame(9, bytes("x")));
  raw.write(frame(1, bytes("there")));
  expect(await line.next()).toBe("there");
  await expect.poll(() => Buffer.concat(got).at(-1)).toBe("x".charCodeAt(0));
  raw.write(frame(8, Uint8Array.from([0x11, 0x33, ...bytes("the lease is over")])));
  await expect(line.next()).rejects.toThrow("closed: the lease is over");
  await expect(line.send("more")).rejects.toThrow("the lease is over");
});

it("a rank that does not take the line says so", async () => {
  const http = createServer((_request, response) => response.writeHead(404).end());
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  await expect(openNodeLine(`ws://127.0.0.1:${port}/`, signal)).rejects.toThrow("answered 404");
  http.close();
});

it("a line that is stopped ends with the reason", async () => {
  const stop = new AbortController();
  const line = await openNodeLine(url, stop.signal);
  const next = line.next();
  stop.abort(new Error("stopped here"));
  await expect(next).rejects.toThrow("stopped here");
});
