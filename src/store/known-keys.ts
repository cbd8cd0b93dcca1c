/**
 * @file Keys that this isolate has found lately, so that most requests need no query for theirs. A key that was deleted,
 * rotated or closed with its workspace in another isolate is known here for KEY_CACHE_MS at most; in this one, no longer.
 */
import { sha256Hex } from "./id.ts";
import { findKey, type KeyOwner } from "./keys.ts";

interface Known {
  owner: KeyOwner;
  /** Unix milliseconds. */
  until: number;
}

/** Under the hash of the secret, the oldest first. */
const known = new Map<string, Known>();
const MAX_KNOWN = 10_000;
/** A query that was on its way when keys were forgotten may have found what is gone. */
let forgotten = 0;

/** The key that `secret` is; an expired one too. */
export async function knownKey(env: Env, secret: string): Promise<KeyOwner | undefined> {
  const hash = await sha256Hex(secret);
  const now = Date.now();
  const entry = known.get(hash);
  if (entry && entry.until > now) return entry.owner;
  known.delete(hash);
  const before = forgotten;
  const found = await findKey(env.DB, hash);
  if (!found) return undefined;
  const until = Math.min(now + Number(env.KEY_CACHE_MS), found.until ?? Infinity);
  if (before !== forgotten) return found.owner;
  if (known.size >= MAX_KNOWN)
    for (const oldest of known.keys()) {
      known.delete(oldest);
      break;
    }
  known.set(hash, { owner: found.owner, until });
  return found.owner;
}

/** For whoever takes a workspace's keys away or gives them new secrets. */
export function forgetKeys(workspace: string): void {
  forgotten++;
  for (const [hash, { owner }] of known) if (owner.workspace === workspace) known.delete(hash);
}
