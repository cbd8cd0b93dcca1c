/** @file Stored datasets: sent in, listed, looked at. */
import type { Dataset, DatasetRows, operations } from "./generated/schema.d.ts";
import { type ListOptions, pages } from "./pages.ts";
import { binary, type Bytes, once, type Transport } from "./transport.ts";

/** How a file becomes a dataset: `fields`, `dtype`, `header`, `delimiter`, `name`. */
export type NewDataset = NonNullable<operations["createDataset"]["parameters"]["query"]>;
/** Which rows to look at. */
export type RowsQuery = NonNullable<operations["getDatasetRows"]["parameters"]["query"]>;

export class Datasets {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Stores npz, npy, safetensors, csv or parquet. */
  async create(bytes: Bytes, options: NewDataset = {}): Promise<Dataset> {
    const { data } = await this.#transport.POST("/v1/datasets", {
      params: { header: once(), query: options },
      ...binary(bytes),
    });
    return data as Dataset;
  }

  /** Has the service fetch a file from a public address. */
  async import(url: string, options: NewDataset = {}): Promise<Dataset> {
    const { data } = await this.#transport.POST("/v1/datasets", {
      params: { header: once(), query: options },
      body: { url },
    });
    return data as Dataset;
  }

  async get(id: string): Promise<Dataset> {
    const { data } = await this.#transport.GET("/v1/datasets/{id}", { params: { path: { id } } });
    return data as Dataset;
  }

  /** Newest first, page after page. */
  list(options: ListOptions = {}): AsyncGenerator<Dataset> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/datasets", { params: { query } });
      return data;
    });
  }

  async rows(id: string, query: RowsQuery = {}): Promise<DatasetRows> {
    const { data } = await this.#transport.GET("/v1/datasets/{id}/rows", {
      params: { path: { id }, query },
    });
    return data as DatasetRows;
  }

  async delete(id: string): Promise<void> {
    await this.#transport.DELETE("/v1/datasets/{id}", { params: { path: { id } } });
  }
}
