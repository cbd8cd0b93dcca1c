/** @file Reports of compressions: JSON in R2 by workspace, for a limited time. */
import { newId } from "./id.ts";

const LIFETIME_MS = 30 * 24 * 60 * 60 * 1000;

const key = (workspace: string, id: string) => `reports/${workspace}/${id}`;

export function newReportId(): string {
  return newId("report");
}

export async function putReport(
  env: Env,
  workspace: string,
  id: string,
  report: unknown,
): Promise<void> {
  await env.BLOBS.put(key(workspace, id), JSON.stringify(report), {
    httpMetadata: { contentType: "application/json" },
    customMetadata: { expires: String(Date.now() + LIFETIME_MS) },
  });
}

export async function findReport(
  env: Env,
  workspace: string,
  id: string,
): Promise<R2ObjectBody | undefined> {
  const object = await env.BLOBS.get(key(workspace, id));
  return object && !expired(object, Date.now()) ? object : undefined;
}

/** Deletes expired reports among up to `limit` objects from `cursor` on; gives the next cursor. */
export async function sweepReports(
  env: Env,
  now: number,
  cursor?: string,
): Promise<string | undefined> {
  const list = await env.BLOBS.list({
    prefix: "reports/",
    include: ["customMetadata"],
    ...(cursor === undefined ? {} : { cursor }),
  });
  const old = list.objects.filter((object) => expired(object, now)).map((object) => object.key);
  if (old.length > 0) await env.BLOBS.delete(old);
  return list.truncated ? list.cursor : undefined;
}

function expired(object: R2Object, now: number): boolean {
  return Number(object.customMetadata?.["expires"] ?? 0) <= now;
}
