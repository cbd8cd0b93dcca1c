/**
 * @file Node's line to a rank. Node's own WebSocket masks every byte in JavaScript (RFC 6455, section 5.3), which takes longer than
 * the network; ws lets the key be 0, which changes nothing and is skipped: masks keep pages from writing what proxies
 * would take for requests, and no page chooses these bytes.
 */
import { WebSocket } from "ws";
import { lineOver, type LineSocket, type OpenLine } from "./line.ts";

/** The longest message that a Worker sends. */
const MAX_BYTES = 32 << 20;

export const openNodeLine: OpenLine = async (url, signal) =>
  await lineOver(
    () =>
      new WebSocket(url, {
        generateMask: (key) => key.fill(0),
        maxPayload: MAX_BYTES,
        perMessageDeflate: false,
      }) as LineSocket,
    signal,
  );
