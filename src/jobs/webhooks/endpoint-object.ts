/** @file The object of an endpoint from the outside. */
import type { Delivery } from "./delivery-record.ts";
import type { WebhookEvent } from "./event.ts";

export interface WebhookEndpointObject {
  /** Begins with a first secret. @returns it */
  configure(config: { id: string; url: string }): Promise<string>;
  /** @returns the new secret; the first one of an endpoint whose object is not there, as after a restore */
  rotate(config: { id: string; url: string }): Promise<string>;
  push(events: WebhookEvent[]): Promise<void>;
  resume(): Promise<void>;
  redeliver(delivery: string): Promise<boolean>;
  deliveries(before: number | undefined, limit: number): Promise<Delivery[]>;
  remove(): Promise<void>;
}

export function endpointObject(env: Env, id: string): WebhookEndpointObject {
  const { WEBHOOK_ENDPOINTS: namespace } = env;
  return namespace.get(namespace.idFromName(id)) as unknown as WebhookEndpointObject;
}
