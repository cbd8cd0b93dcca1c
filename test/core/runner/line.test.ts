/** @file Lines to a rank, by the platform's WebSocket and by Node's: messages both ways, refusals, and the reason of an end. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { openLine } from "../../../src/runner/line.ts";
import { openNodeLine } from "../../../src/runner/node-line.ts";

const { signal } = new AbortController();
const http = createServer((_request, response) => response.writeHead(404).end());
const rank = new WebSocketServer({ noServer: true });
let url: string;

beforeAll(async () => {
  http.on("upgrade", (request, socket, head) => {
    if (request.url === "/silent") return;
    if (request.url === "/none") return void socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
    rank.handleUpgrade(request, socket, head, (opened) => rank.emit("connection", opened, request));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterAll(() => {
  http.closeAllConnections();
  http.close();
});

describe.each([
  ["the platform's", openLine],
  ["Node's", openNodeLine],
])("%s line", (_name, open) => {
  /** The line, and the rank's end of it. */
  async function connect(stop = signal) {
    const connected = once(rank, "connection") as Promise<[WebSocket]>;
    const line = await open(`${url}/`, stop);
    const [peer] = await connected;
    return { line, peer };
  }

  it("carries text and bytes both ways, and says why it was closed", async () => {
    const { line, peer } = await connect();
    const heard: [Buffer, boolean][] = [];
    peer.on("message", (data, isBinary) => heard.push([data as Buffer, isBinary]));
    const body = new Uint8Array(70_000).map((_, i) => i);
    await line.send("hello");
    await line.send(body);
    await expect.poll(() => heard).toHaveLength(2);
    expect(heard).toEqual([
      [Buffer.from("hello"), false],
      [Buffer.from(body), true],
    ]);
    peer.send("there");
    peer.send(body);
    peer.close(4403, "the lease is over");
    expect(await line.next()).toBe("there");
    expect(await line.next()).toEqual(body.buffer);
    await expect(line.next()).rejects.toThrow("closed: the lease is over");
    await expect(line.send("more")).rejects.toThrow("the lease is over");
  });

  it("ends with the reason when it is stopped", async () => {
    const stop = new AbortController();
    const { line, peer } = await connect(stop.signal);
    const closed = once(peer, "close");
    const next = line.next();
    stop.abort(new Error("stopped here"));
    await expect(next).rejects.toThrow("stopped here");
    expect((await closed)[0]).toBe(1000);
  });

  it("ends with the reason when it is stopped before it is open", async () => {
    const stop = new AbortController();
    const opening = open(`${url}/silent`, stop.signal);
    stop.abort(new Error("stopped here"));
    await expect(opening).rejects.toThrow("stopped here");
    await expect(open(`${url}/`, stop.signal)).rejects.toThrow("stopped here");
  });

  it("is not there where the rank does not take it", async () => {
    await expect(open(`${url}/none`, signal)).rejects.toThrow("the line to the rank broke");
  });
});

describe("Node's line", () => {
  it("says what the rank answered", async () => {
    await expect(openNodeLine(`${url}/none`, signal)).rejects.toThrow(/broke: .*404/);
  });

  it("takes no message that a Worker could not have sent", async () => {
    const connected = once(rank, "connection") as Promise<[WebSocket]>;
    const line = await openNodeLine(`${url}/`, signal);
    const [peer] = await connected;
    peer.send(new Uint8Array((32 << 20) + 1));
    await expect(line.next()).rejects.toThrow("broke: Max payload size exceeded");
  });

  it("sends bytes as they are", async () => {
    const upgraded = once(http, "upgrade") as Promise<[unknown, Socket]>;
    const line = await openNodeLine(`${url}/`, signal);
    const [, raw] = await upgraded;
    const got: Buffer[] = [];
    raw.on("data", (chunk) => got.push(chunk));
    await line.send("hello");
    await expect.poll(() => Buffer.concat(got).toString("latin1")).toBe("\x81\x85\0\0\0\0hello");
  });
});
