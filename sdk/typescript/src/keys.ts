/** @file API keys of the workspace. */
import type { Key, NewKey, NewKeyRequest, RotateKeyRequest } from "./generated/schema.d.ts";
import { type ListOptions, pages } from "./pages.ts";
import type { Transport } from "./transport.ts";

export class Keys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The answer has the secret, this once. */
  async create(key: NewKeyRequest): Promise<NewKey> {
    const { data } = await this.#transport.POST("/v1/keys", { body: key });
    return data as NewKey;
  }

  async get(id: string): Promise<Key> {
    const { data } = await this.#transport.GET("/v1/keys/{id}", { params: { path: { id } } });
    return data as Key;
  }

  list(options: ListOptions = {}): AsyncGenerator<Key> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/keys", { params: { query } });
      return data;
    });
  }

  /** A new secret; the one before works for `grace_s` seconds more (default: a day). */
  async rotate(id: string, options: Partial<RotateKeyRequest> = {}): Promise<NewKey> {
    const { data } = await this.#transport.POST("/v1/keys/{id}/rotate", {
      params: { path: { id } },
      body: options as RotateKeyRequest,
    });
    return data as NewKey;
  }

  async delete(id: string): Promise<void> {
    await this.#transport.DELETE("/v1/keys/{id}", { params: { path: { id } } });
  }
}
