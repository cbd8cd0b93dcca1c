/** @file An order as the runner gets it: its objects as addresses that are good for this lease's time. */
import type { Task } from "../../runner/protocol.ts";
import { signedPath } from "../../store/signed-blobs.ts";
import { signedLinkPath } from "../../store/signed-links.ts";
import type { TaskOrder } from "./task-order.ts";

/** Beyond the lease, so that a result that is on its way still arrives. */
const GRACE_MS = 60_000;
const DEFAULT_LIFE_MS = 10 * 60_000;

/** @param origin the service's address as the runner sees it */
export async function signTask(
  env: Env,
  order: TaskOrder,
  { runner, lease, origin }: { runner: string; lease: number; origin: string },
): Promise<Task> {
  const expiresAt = Date.now() + (order.timeoutMs ?? DEFAULT_LIFE_MS) + GRACE_MS;
  const sources: Task["sources"] = {};
  for (const [name, { key, bytes, sha256 }] of Object.entries(order.sources)) {
    const path = await signedPath(env.SIGNING_SECRET, {
      method: "GET",
      key,
      bytes,
      sha256,
      expiresAt,
    });
    sources[name] = { url: origin + path, bytes, sha256 };
  }
  const targets: Task["targets"] = {};
  for (const [name, { key, maxBytes }] of Object.entries(order.targets)) {
    const grant = { method: "PUT", key: targetKey(key, lease), maxBytes, expiresAt } as const;
    targets[name] = {
      url: origin + (await signedPath(env.SIGNING_SECRET, grant)),
      max_bytes: maxBytes,
    };
  }
  const { id, kind, rank } = order;
  const spec = { ...order.spec };
  if (rank !== undefined) {
    const path = await signedLinkPath(env.SIGNING_SECRET, {
      rank,
      task: id,
      lease,
      runner,
      expiresAt,
    });
    spec["link"] = origin.replace(/^http/, "ws") + path;
  }
  return { id, kind, lease, spec, sources, targets };
}

/** Each lease writes to objects of its own, so that one that is over cannot change the next one's results. */
export function targetKey(key: string, lease: number): string {
  return `${key}.${lease}`;
}
