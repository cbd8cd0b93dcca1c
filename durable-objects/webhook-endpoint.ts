/**
 * @file One endpoint of a workspace's webhooks: what it is to be told is stored here, and its alarm sends it, again
 * and again with growing pauses, until the receiver has taken it. Every event has a sequence number.
 */
import { DurableObject } from "cloudflare:workers";
import {
  type Delivery,
  DeliveryRecord,
  type EndpointConfig,
} from "../src/jobs/webhooks/delivery-record.ts";
import type { WebhookEndpointObject } from "../src/jobs/webhooks/endpoint-object.ts";
import type { WebhookEvent } from "../src/jobs/webhooks/event.ts";
import { pauseAfter } from "../src/jobs/webhooks/attempt.ts";
import { newWebhookSecret, sendWebhook } from "../src/jobs/webhooks/send.ts";
import { setDisabled } from "../src/store/webhook-endpoints.ts";

/** Both secrets sign for so long after a rotation. */
const ROTATION_MS = 24 * 60 * 60_000;
/** Sent at once, in one alarm. */
const AT_ONCE = 10;

export class WebhookEndpoint extends DurableObject<Env> implements WebhookEndpointObject {
  readonly #record = new DeliveryRecord(this.ctx.storage.sql);

  async configure({ id, url }: { id: string; url: string }): Promise<string> {
    const config = this.#record.config() ?? { id, url, secret: newWebhookSecret() };
    this.#record.saveConfig({ ...config, url });
    return config.secret;
  }

  async push(events: WebhookEvent[]): Promise<void> {
    if (!this.#record.config()) return;
    for (const event of events) this.#record.add(event, Date.now());
    await this.#ring();
  }

  /** A new secret; the old one signs beside it for a day. */
  async rotate(named: { id: string; url: string }): Promise<string> {
    const config = this.#record.config();
    if (!config) return await this.configure(named);
    const secret = newWebhookSecret();
    const previous = { secret: config.secret, until: Date.now() + ROTATION_MS };
    this.#record.saveConfig({ ...config, secret, previous });
    return secret;
  }

  /** Sends again after it was disabled: what waited is due now. */
  async resume(): Promise<void> {
    this.#record.saveConfig({ ...this.#config(), disabled: false });
    await this.#ring();
  }

  /** False when there is no such delivery. */
  async redeliver(delivery: string): Promise<boolean> {
    const found = this.#record.find(Number(delivery.replace(/^whd_/, "")));
    if (!found) return false;
    this.#record.update(found.number, { state: "pending", attempts: 0, next_at: Date.now() });
    await this.#ring();
    return true;
  }

  async deliveries(before: number | undefined, limit: number): Promise<Delivery[]> {
    return this.#record.list(before, limit);
  }

  async remove(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  override async alarm(): Promise<void> {
    const config = this.#record.config();
    if (!config || config.disabled) return;
    const due = this.#record.due(Date.now(), AT_ONCE);
    await Promise.all(due.map((delivery) => this.#attempt(config, delivery)));
    await this.#ring();
  }

  async #attempt(config: EndpointConfig, delivery: Delivery): Promise<void> {
    const { number, event_id, payload } = delivery;
    const attempts = delivery.attempts + 1;
    const secrets = [config.secret];
    if (config.previous && config.previous.until > Date.now()) secrets.push(config.previous.secret);
    const { status, error } = await sendWebhook(this.env, config.url, event_id, payload, secrets);
    if (error === null) {
      return this.#record.update(number, { state: "delivered", attempts, status, error });
    }
    const pause = pauseAfter(this.env, attempts);
    if (status === 410 || pause === undefined) {
      this.#record.update(number, { state: "failed", attempts, status, error });
      if (status === 410) await this.#disable("it answered 410: gone");
      return;
    }
    this.#record.update(number, { attempts, status, error, next_at: Date.now() + pause * 1000 });
  }

  async #disable(reason: string): Promise<void> {
    const config = this.#config();
    this.#record.saveConfig({ ...config, disabled: true });
    await setDisabled(this.env.DB, config.id, reason);
  }

  async #ring(): Promise<void> {
    const next = this.#record.nextAt();
    if (next === undefined || this.#record.config()?.disabled) return;
    await this.ctx.storage.setAlarm(Math.max(next, Date.now()));
  }

  #config(): EndpointConfig {
    const config = this.#record.config();
    if (!config) throw new Error("webhooks: this endpoint is not there");
    return config;
  }
}
