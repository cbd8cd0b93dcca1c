/** @file What a call to another rank ended with, as what it says of that rank. */
import { PeerError, type PeerFault } from "../../collectives/transport.ts";

const FAULTS: readonly PeerFault[] = ["silent", "lost", "stale", "closed"];

interface RemoteError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly remote?: unknown;
  readonly durableObjectReset?: unknown;
  readonly fault?: unknown;
  readonly peer?: unknown;
}

/** A peer's own account where it gives one; what a peer calls a mistake stays one; anything else is its loss. */
export function peerError(error: unknown, peer: number): Error {
  const { name, message, remote, durableObjectReset, fault, peer: blamed } = error as RemoteError;
  const known = FAULTS.find((candidate) => candidate === fault);
  if (known && typeof blamed === "number") {
    return new PeerError(known, blamed, String(message), { cause: error });
  }
  const mistaken = name === "RangeError" || name === "TypeError";
  if (remote === true && durableObjectReset !== true && mistaken) return error as Error;
  return new PeerError("lost", peer, `transport: rank ${peer} is lost: ${String(message)}`, {
    cause: error,
  });
}
