/** @file Stored models: sent in, listed, compressed by jobs, fetched. */
import type {
  BenchmarkRequest,
  CalibrateRequest,
  EvaluateRequest,
  Graph,
  Job,
  Model,
  OptimizeRequest,
  PruneOptions,
  QuantizeOptions,
  SimplifyOptions,
  VerifyRequest,
} from "./generated/schema.d.ts";
import { type ListOptions, pages } from "./pages.ts";
import { binary, type Bytes, once, type Transport } from "./transport.ts";
import { type ModelFile, type UploadOptions, uploadInParts } from "./uploads.ts";

export class Models {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Stores a model that fits one request (the host's limit; 100 MB on a free Cloudflare plan). */
  async create(bytes: Bytes, { name }: { name?: string } = {}): Promise<Model> {
    const { data } = await this.#transport.POST("/v1/models", {
      params: { header: once(), query: name === undefined ? {} : { name } },
      ...binary(bytes),
    });
    return data as Model;
  }

  /** Stores a model of any size, with its external data files, in parts. */
  async upload(files: Blob | readonly ModelFile[], options: UploadOptions = {}): Promise<Model> {
    const list = files instanceof Blob ? [{ data: files }] : files;
    return await uploadInParts(this.#transport, list, options);
  }

  /** Has the service fetch a model from a public address. */
  async import(url: string): Promise<Model> {
    const { data } = await this.#transport.POST("/v1/models", {
      params: { header: once() },
      body: { url },
    });
    return data as Model;
  }

  async get(id: string): Promise<Model> {
    const { data } = await this.#transport.GET("/v1/models/{id}", { params: { path: { id } } });
    return data as Model;
  }

  /** Newest first, page after page. */
  list(options: ListOptions = {}): AsyncGenerator<Model> {
    return pages(options, async (query) => {
      const { data } = await this.#transport.GET("/v1/models", { params: { query } });
      return data;
    });
  }

  async delete(id: string): Promise<void> {
    await this.#transport.DELETE("/v1/models/{id}", { params: { path: { id } } });
  }

  async graph(id: string): Promise<Graph> {
    const { data } = await this.#transport.GET("/v1/models/{id}/graph", {
      params: { path: { id } },
    });
    return data as Graph;
  }

  /** The ONNX file, or an external data file of it, from byte `from` on. */
  async content(
    id: string,
    { location, from = 0 }: { location?: string; from?: number } = {},
  ): Promise<Response> {
    // The whole may come through gzip, which `fetch` undoes; a range does not.
    const header = from === 0 ? {} : { range: `bytes=${from}-` };
    const { response } =
      location === undefined
        ? await this.#transport.GET("/v1/models/{id}/content", {
            params: { path: { id }, header },
            parseAs: "stream",
          })
        : await this.#transport.GET("/v1/models/{id}/files/{location}", {
            params: { path: { id, location }, header },
            parseAs: "stream",
          });
    return response;
  }

  /** Starts a job whose result is a new model. */
  async quantize(id: string, options: QuantizeOptions = {}): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/models/{id}/quantize", {
      params: { path: { id }, header: once() },
      body: options,
    });
    return data as Job;
  }

  /** Starts a job whose result is a new model. */
  async simplify(id: string, options: SimplifyOptions = {}): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/models/{id}/simplify", {
      params: { path: { id }, header: once() },
      body: options,
    });
    return data as Job;
  }

  /** Starts a job whose result is a new model. */
  async prune(id: string, options: PruneOptions = {}): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/models/{id}/prune", {
      params: { path: { id }, header: once() },
      body: options,
    });
    return data as Job;
  }

  /** Carries out a recipe, its steps or a search, as one job. */
  async optimize(id: string, request: OptimizeRequest): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/models/{id}/optimize", {
      params: { path: { id } },
      body: request,
    });
    return data as Job;
  }

  /** Measures the model on a dataset. */
  async evaluate(id: string, request: EvaluateRequest): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/models/{id}/evaluate", {
      params: { path: { id } },
      body: request,
    });
    return data as Job;
  }

  /** Finds the ranges of the model's values. */
  async calibrate(id: string, request: CalibrateRequest = {}): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/models/{id}/calibrate", {
      params: { path: { id } },
      body: request,
    });
    return data as Job;
  }

  /** Times the model, on a runner or in the Worker. */
  async benchmark(id: string, request: BenchmarkRequest = {}): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/models/{id}/benchmark", {
      params: { path: { id } },
      body: request,
    });
    return data as Job;
  }

  /** Compares the model's answers with those of the model that it was made of, or of `original`. */
  async verify(id: string, request: VerifyRequest): Promise<Job> {
    const { data } = await this.#transport.POST("/v1/models/{id}/verify", {
      params: { path: { id } },
      body: request,
    });
    return data as Job;
  }
}
