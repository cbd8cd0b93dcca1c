/**
 * @file Events from the outbox to the endpoints' objects. The queue only says that there is something: the rows are
 * the truth, and go once every endpoint has stored its own copy, so that a message that is lost or comes twice does
 * no harm.
 */
import { deleteEventsUpTo, nextEvents, workspacesWithEvents } from "../../store/events.ts";
import { liveEndpoints } from "../../store/webhook-endpoints.ts";
import { endpointObject } from "./endpoint-object.ts";
import type { WebhookEvent } from "./event.ts";

export interface EventMessage {
  workspace: string;
  /** One that is told of at once and not kept, like progress. */
  event?: WebhookEvent;
}

const BATCH = 100;
const MAX_ROUNDS = 50;
const SWEPT_WORKSPACES = 100;

/** Says that a workspace may have events. Never throws: the sweep finds what was not said. */
export async function pokeEvents(env: Env, message: EventMessage): Promise<void> {
  try {
    await env.EVENTS.send(message);
  } catch (error) {
    console.error(JSON.stringify({ events: message.workspace }), error);
  }
}

/** A queue's batch; a workspace that is named more than once is looked at once. */
export async function dispatchBatch(env: Env, batch: MessageBatch<EventMessage>): Promise<void> {
  const seen = new Set<string>();
  for (const message of batch.messages) {
    const { workspace, event } = message.body;
    try {
      if (event !== undefined || !seen.has(workspace)) await dispatchEvents(env, message.body);
      seen.add(workspace);
      message.ack();
    } catch (error) {
      console.error(JSON.stringify({ events: workspace }), error);
      message.retry();
    }
  }
}

/** Hands over all events that wait. */
export async function dispatchEvents(env: Env, { workspace, event }: EventMessage): Promise<void> {
  const endpoints = await liveEndpoints(env.DB, workspace);
  const handOver = async (events: WebhookEvent[]) => {
    for (const { id, events: wanted } of endpoints) {
      const mine = events.filter(({ type }) => wanted.includes("*") || wanted.includes(type));
      if (mine.length > 0) await endpointObject(env, id).push(mine);
    }
  };
  if (event) await handOver([event]);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const rows = await nextEvents(env.DB, workspace, BATCH);
    const last = rows.at(-1);
    if (!last) return;
    await handOver(
      rows.map(({ id, type, data, created_at }) => ({
        id,
        type: type as WebhookEvent["type"],
        createdAt: created_at,
        data: JSON.parse(data),
      })),
    );
    await deleteEventsUpTo(env.DB, workspace, last.number);
  }
}

/** What a lost message left behind. */
export async function sweepEvents(env: Env): Promise<void> {
  for (const workspace of await workspacesWithEvents(env.DB, SWEPT_WORKSPACES)) {
    await dispatchEvents(env, { workspace });
  }
}
