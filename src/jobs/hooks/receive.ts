/** @file A delivery whose sender is verified: stored, then queued. What was stored is done once, however often it comes. */
import { ApiError } from "../../problem/api-error.ts";
import { addDeliveries, type DeliveryRow } from "../../store/hook-deliveries.ts";
import type { HookRow } from "../../store/hooks.ts";
import { hex, newId } from "../../store/id.ts";
import type { HookSource } from "./hook.ts";
import { queueHooks } from "./queue.ts";
import { type Decision, readPayload } from "./read-payload.ts";

/** Of a payload, for the log. */
const KEPT_BYTES = 64 << 10;

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
  const about = { event, sourceId, body, payloadSha256: digest };
  return await enter(env, hook, key, about, decision);
}

/** A notification of the bucket. One that the queue hands over again has the same bytes. */
export async function receiveNotification(
  env: Env,
  hook: HookRow,
  message: Record<string, unknown>,
): Promise<void> {
  const body = new TextEncoder().encode(JSON.stringify(message));
  const payloadSha256 = hex(await crypto.subtle.digest("SHA-256", body));
  const event = String(message["action"]).slice(0, 100);
  const about = { event, sourceId: null, body, payloadSha256 };
  await enter(env, hook, payloadSha256, about, decide(env, hook, event, message));
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
  const about = { event, sourceId: null, body, payloadSha256 };
  return await enter(env, hook, newId("test"), about, decide(env, hook, event, payload));
}

export function decide(
  env: Env,
  { source, config, workspace }: HookRow,
  event: string,
  payload: Record<string, unknown>,
): Decision {
  return readPayload(source, { workspace, config, event, payload, hub: env.HUGGINGFACE_URL });
}

interface About {
  event: string;
  sourceId: string | null;
  body: Uint8Array;
  payloadSha256: string;
}

async function enter(
  env: Env,
  { id: hookId, workspace }: HookRow,
  key: string,
  { body, ...about }: About,
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
      payloadBytes: body.length,
      decision: each,
    })),
    new TextDecoder().decode(body.subarray(0, KEPT_BYTES)),
  );
  const queued = rows.filter(({ id, state }) => added.has(id) && state === "queued");
  if (queued.length > 0)
    await queueHooks(
      env,
      queued.map(({ id }) => ({ delivery: id })),
    );
  return { rows, duplicate: added.size === 0 };
}

function namesOf(source: HookSource, headers: Headers, payload: Record<string, unknown>) {
  const named = {
    standard: "webhook-id",
    github: "X-GitHub-Delivery",
    huggingface: "",
    r2: "",
  }[source];
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
