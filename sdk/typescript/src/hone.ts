/** @file The client. */
import { CompressedModel } from "./compressed.ts";
import { Datasets } from "./datasets.ts";
import type { operations, Report } from "./generated/schema.d.ts";
import { Hooks } from "./hooks.ts";
import { Jobs } from "./jobs.ts";
import { Keys } from "./keys.ts";
import { Models } from "./models.ts";
import { Recipes } from "./recipes.ts";
import { TrainingJobs } from "./training-jobs.ts";
import {
  binary,
  type Bytes,
  createTransport,
  type HoneOptions,
  type Transport,
} from "./transport.ts";
import { WebhookEndpoints } from "./webhook-endpoints.ts";
import { Workspace } from "./workspace.ts";

type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;
/** Options of `/v1/quantize`, by the API's names. */
export type QuantizeQuery = Query<"quantizeModel">;
/** Options of `/v1/prune`, by the API's names. */
export type PruneQuery = Query<"pruneModel">;
/** Options of `/v1/simplify`, by the API's names. */
export type SimplifyQuery = Query<"simplifyModel">;

/**
 * Hone, the model-optimization API. Answers of 400 and above throw a `HoneError` of their kind.
 * @example
 * const hone = new Hone({ apiKey });
 * const smaller = await hone.quantize(await readFile("model.onnx"));
 * console.log(smaller.summary.ratio);
 * await writeFile("model.smaller.onnx", await smaller.bytes());
 */
export class Hone {
  readonly models: Models;
  readonly datasets: Datasets;
  readonly jobs: Jobs;
  readonly trainingJobs: TrainingJobs;
  readonly recipes: Recipes;
  readonly hooks: Hooks;
  readonly webhookEndpoints: WebhookEndpoints;
  readonly keys: Keys;
  readonly workspace: Workspace;
  /** All of the API by path, typed from its description, for what has no method here. */
  readonly api: Transport;

  /** @throws TypeError without a key */
  constructor(options: HoneOptions = {}) {
    this.api = createTransport(options);
    this.models = new Models(this.api);
    this.datasets = new Datasets(this.api);
    this.jobs = new Jobs(this.api);
    this.trainingJobs = new TrainingJobs(this.api);
    this.recipes = new Recipes(this.api);
    this.hooks = new Hooks(this.api);
    this.webhookEndpoints = new WebhookEndpoints(this.api);
    this.keys = new Keys(this.api);
    this.workspace = new Workspace(this.api);
  }

  /** Model in, smaller model out; for models that fit one request. */
  async quantize(
    model: Bytes,
    options: QuantizeQuery = {},
    signal?: AbortSignal,
  ): Promise<CompressedModel> {
    const { response } = await this.api.POST("/v1/quantize", {
      params: { query: options },
      ...binary(model),
      parseAs: "stream",
      signal: signal ?? null,
    });
    return new CompressedModel(response, this.api);
  }

  /** Model in, sparse model out; for models that fit one request. */
  async prune(
    model: Bytes,
    options: PruneQuery = {},
    signal?: AbortSignal,
  ): Promise<CompressedModel> {
    const { response } = await this.api.POST("/v1/prune", {
      params: { query: options },
      ...binary(model),
      parseAs: "stream",
      signal: signal ?? null,
    });
    return new CompressedModel(response, this.api);
  }

  /** Model in, a model of fewer nodes and the same answers out; for models that fit one request. */
  async simplify(
    model: Bytes,
    options: SimplifyQuery = {},
    signal?: AbortSignal,
  ): Promise<CompressedModel> {
    const { response } = await this.api.POST("/v1/simplify", {
      params: { query: options },
      ...binary(model),
      parseAs: "stream",
      signal: signal ?? null,
    });
    return new CompressedModel(response, this.api);
  }

  async report(id: string): Promise<Report> {
    const { data } = await this.api.GET("/v1/reports/{id}", { params: { path: { id } } });
    return data as Report;
  }
}
