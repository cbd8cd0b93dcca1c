/** @file A delivery whose sender is verified: stored, then queued. What was stored is done once, however often it comes. */
import { ApiError } from "../../problem/api-error.ts";
import { addDeliveries, type DeliveryRow } from "../../store/hook-deliveries.ts";
import type { HookRow } from "../../store/hooks.ts";
import { hex, newId } from "../../store/id.ts";
import type { HookSource } from "./hook.ts";
import { type Decision, readPayload } from "./read-payload.ts";

export interface HookMessage {
  delivery: string;
}

export interface Received {
  rows: DeliveryRow[];
  /** It came before. */
  duplicate: boolean;
}

/** @throws ApiError `invalid_json` */
export async function receive(
  env: Env,
  hook: HookRow,
  headers: Headers,
  body: Uint8Array<ArrayBuffer>,
): Promise<Received> {
  const payload = objectOf(body);
  const digest = hex(await crypto.subtle.digest("SHA-256", body));
  const { event, sourceId } = namesOf(hook.source, headers, payload);
  // GitHub and Hugging Face sign no id: what is sent again under another one has the same bytes.
  const key = hook.source === "standard" && sourceId !== null ? sourceId : digest;
  const decision = decide(env, hook, event, payload);
  const about = { event, sourceId, payloadSha256: digest, payloadBytes: body.length };
  return await enter(env, hook, key, about, decision);
}

/** As if the source had sent it; each time anew. */
export async function receiveTest(
  env: Env,
  hook: HookRow,
  event: string,
  payload: Record<string, unknown>,
): Promise<Received> {
  const body = new TextEncoder().encode(JSON.stringify(payload));
  const payloadSha256 = hex(await crypto.subtle.digest("SHA-256", body));
  const about = { event, sourceId: null, payloadSha256, payloadBytes: body.length };
  return await enter(env, hook, newId("test"), about, decide(env, hook, event, payload));
}

export function decide(
  env: Env,
  { source, config }: HookRow,
  event: string,
  payload: Record<string, unknown>,
): Decision {
  return readPayload(source, { config, event, payload, hub: env.HUGGINGFACE_URL });
}

interface About {
  event: string;
  sourceId: string | null;
  payloadSha256: string;
  payloadBytes: number;
}

async function enter(
  env: Env,
  { id: hookId, workspace }: HookRow,
  key: string,
  about: About,
  decision: Decision,
): Promise<Received> {
  const decisions = "works" in decision ? decision.works.map((work) => ({ work })) : [decision];
  const { rows, added } = await addDeliveries(
    env.DB,
    decisions.map((each, index) => ({
      hookId,
      workspace,
      key: `${key}/${index}`,
      ...about,
      decision: each,
    })),
  );
  await queueDeliveries(
    env,
    rows.filter(({ id, state }) => added.has(id) && state === "queued").map(({ id }) => id),
  );
  return { rows, duplicate: added.size === 0 };
}

/** Never throws: the sweep finds what was not queued. */
export async function queueDeliveries(env: Env, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  try {
    await env.HOOK_WORK.sendBatch(
      ids.map((delivery) => ({ body: { delivery } satisfies HookMessage })),
    );
  } catch (error) {
    console.error(JSON.stringify({ hook_deliveries: ids.length }), error);
  }
}

function namesOf(source: HookSource, headers: Headers, payload: Record<string, unknown>) {
  const named = { standard: "webhook-id", github: "X-GitHub-Delivery", huggingface: "" }[source];
  const sourceId = named ? (headers.get(named)?.slice(0, 200) ?? null) : null;
  const event =
    source === "github"
      ? (headers.get("X-GitHub-Event") ?? "")
      : source === "standard"
        ? payload["type"]
        : (payload["event"] as { scope?: unknown } | undefined)?.scope;
  return { sourceId, event: typeof event === "string" ? event.slice(0, 100) : "" };
}

function objectOf(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(body));
  } catch {
    throw new ApiError("invalid_json", "the delivery is no JSON in UTF-8");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ApiError("invalid_json", "the delivery is no JSON object");
  }
  return value as Record<string, unknown>;
}
