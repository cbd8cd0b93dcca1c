/** @file Webhook endpoints: where a workspace's events are sent. `verifyWebhook` is for whoever receives them. */
import type {
  NewWebhookEndpoint,
  NewWebhookEndpointRequest,
  WebhookDelivery,
  WebhookEndpoint,
} from "./generated/schema.d.ts";
import { type ListOptions, pages } from "./pages.ts";
import type { Transport } from "./transport.ts";

export class WebhookEndpoints {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The answer has the secret, this once. */
  async create(endpoint: NewWebhookEndpointRequest): Promise<NewWebhookEndpoint> {
    const { data } = await this.#transport.POST("/v1/webhook-endpoints", { body: endpoint });
    return data as NewWebhookEndpoint;
  }

  async get(id: string): Promise<WebhookEndpoint> {
    const { data } = await this.#transport.GET("/v1/webhook-endpoints/{id}", at(id));
    return data as WebhookEndpoint;
  }

  list(options: ListOptions = {}): AsyncGenerator<WebhookEndpoint> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/webhook-endpoints", { params: { query } });
      return data;
    });
  }

  async delete(id: string): Promise<void> {
    await this.#transport.DELETE("/v1/webhook-endpoints/{id}", at(id));
  }

  /** A new secret; for a while events are signed with both. */
  async rotate(id: string): Promise<NewWebhookEndpoint> {
    const { data } = await this.#transport.POST("/v1/webhook-endpoints/{id}/rotate", at(id));
    return data as NewWebhookEndpoint;
  }

  /** After it was disabled by too many failures. */
  async enable(id: string): Promise<WebhookEndpoint> {
    const { data } = await this.#transport.POST("/v1/webhook-endpoints/{id}/enable", at(id));
    return data as WebhookEndpoint;
  }

  /** Sends an event to try it. */
  async test(id: string): Promise<void> {
    await this.#transport.POST("/v1/webhook-endpoints/{id}/test", at(id));
  }

  deliveries(id: string, options: ListOptions = {}): AsyncGenerator<WebhookDelivery> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/webhook-endpoints/{id}/deliveries", {
        params: { path: { id }, query },
      });
      return data;
    });
  }

  async redeliver(id: string, delivery: string): Promise<void> {
    await this.#transport.POST("/v1/webhook-endpoints/{id}/deliveries/{delivery}/redeliver", {
      params: { path: { id, delivery } },
    });
  }
}

const at = (id: string) => ({ params: { path: { id } } });
