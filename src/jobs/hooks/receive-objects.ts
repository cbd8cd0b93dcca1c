/**
 * @file Notifications of the exchange bucket, which R2 puts into a queue: each is a delivery to the hooks of the
 * workspace whose id its key begins with.
 */
import { listeningHooks } from "../../store/hooks.ts";
import { OWN_MARK } from "./hand-over.ts";
import { receiveNotification } from "./receive.ts";

/** https://developers.cloudflare.com/r2/buckets/event-notifications/#message-format */
export interface ObjectMessage {
  account: string;
  bucket: string;
  /** `eTag` only where an object was made. */
  object: { key: string; size?: number; eTag?: string };
  action: string;
  eventTime: string;
}

/** Of one workspace and source. */
const MAX_HOOKS = 100;
const RETRY_S = 10;

export async function receiveObjects(env: Env, batch: MessageBatch<ObjectMessage>): Promise<void> {
  for (const message of batch.messages) {
    try {
      await receiveOne(env, message.body);
      message.ack();
    } catch (error) {
      console.error(JSON.stringify({ object: message.body.object?.key }), error);
      message.retry({ delaySeconds: RETRY_S });
    }
  }
}

async function receiveOne(env: Env, message: ObjectMessage): Promise<void> {
  const key = message.object?.key;
  const [workspace] = typeof key === "string" ? key.split("/", 1) : [];
  if (!workspace || key === workspace) return;
  const hooks = await listeningHooks(env.DB, workspace, "r2", MAX_HOOKS);
  if (hooks.length === 0) return;
  // A result that triggers the next optimization of itself would never end.
  const object = await env.EXCHANGE.head(key);
  if (object?.customMetadata?.[OWN_MARK] !== undefined) return;
  for (const hook of hooks) await receiveNotification(env, hook, { ...message });
}
