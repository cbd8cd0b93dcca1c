/** @file The workspace that the key opens: what it holds, what was used of it and changed in it. */
import type {
  AuditEntry,
  operations,
  Usage,
  Workspace as Description,
} from "./generated/schema.d.ts";
import { type ListOptions, pages } from "./pages.ts";
import type { Transport } from "./transport.ts";

type UsageQuery = NonNullable<operations["getUsage"]["parameters"]["query"]>;

export class Workspace {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async get(): Promise<Description> {
    const { data } = await this.#transport.GET("/v1/workspace");
    return data as Description;
  }

  /** By day (UTC). */
  async usage(days: UsageQuery = {}): Promise<Usage> {
    const { data } = await this.#transport.GET("/v1/usage", { params: { query: days } });
    return data as Usage;
  }

  /** Changes of the last 90 days, newest first. */
  audit(options: ListOptions & { key_id?: string } = {}): AsyncGenerator<AuditEntry> {
    const { key_id: key } = options;
    return pages(options, async (query) => {
      const named = key === undefined ? query : { ...query, key_id: key };
      const { data } = await this.#transport.GET("/v1/audit-log", { params: { query: named } });
      return data;
    });
  }
}
