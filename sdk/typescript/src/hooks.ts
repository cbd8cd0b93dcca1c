/** @file Hooks: signed webhooks in, which start a recipe. */
import type {
  Hook,
  HookDelivery,
  HookList,
  HookReceipt,
  NewHook,
  NewHookRequest,
  TestHookRequest,
} from "./generated/schema.d.ts";
import { type ListOptions, pages } from "./pages.ts";
import type { Transport } from "./transport.ts";

export class Hooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The answer has the secret, this once. */
  async create(hook: NewHookRequest): Promise<NewHook> {
    const { data } = await this.#transport.POST("/v1/hooks", { body: hook });
    return data as NewHook;
  }

  async get(id: string): Promise<Hook> {
    const { data } = await this.#transport.GET("/v1/hooks/{id}", { params: { path: { id } } });
    return data as Hook;
  }

  list(options: ListOptions = {}): AsyncGenerator<Hook> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/hooks", { params: { query } });
      // Client types make lists of tuples.
      return data as HookList;
    });
  }

  async delete(id: string): Promise<void> {
    await this.#transport.DELETE("/v1/hooks/{id}", { params: { path: { id } } });
  }

  /** As if the source had sent the payload; with `dry_run` only what would be done. */
  async test(id: string, request: TestHookRequest): Promise<HookReceipt> {
    const { data } = await this.#transport.POST("/v1/hooks/{id}/test", {
      params: { path: { id } },
      body: request,
    });
    return data as HookReceipt;
  }

  /** What the hook received, newest first. */
  deliveries(id: string, options: ListOptions = {}): AsyncGenerator<HookDelivery> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/hooks/{id}/deliveries", {
        params: { path: { id }, query },
      });
      return data;
    });
  }
}
