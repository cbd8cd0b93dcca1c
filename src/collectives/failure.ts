/** @file One rank's failure as a message to the others, so that all blame the same peer. */
import { type Message, PeerError, type PeerFault } from "./transport.ts";

/** Phases of these messages begin so; the fault follows. */
export const FAILED = "failed.";
const MISTAKE = "mistake";

/** Phase, the peer to blame as the offset, and the error's words as the payload. */
export function failureMessage(error: Error, rank: number): Omit<Message, "channel" | "from"> {
  const fault = error instanceof PeerError ? error.fault : MISTAKE;
  const peer = error instanceof PeerError ? error.peer : rank;
  const payload = new TextEncoder().encode(error.message);
  return { sequence: 0, phase: FAILED + fault, offset: peer, length: 0, payload: payload.slice() };
}

export function failureOf({ phase, offset, payload }: Message): Error {
  const text = new TextDecoder().decode(payload);
  const fault = phase.slice(FAILED.length);
  return fault === MISTAKE ? new RangeError(text) : new PeerError(fault as PeerFault, offset, text);
}
