/** @file The public surface. */
export { CompressedModel } from "./compressed.ts";
export type { Datasets, NewDataset, RowsQuery } from "./datasets.ts";
export {
  AuthenticationError,
  ConflictError,
  ConnectionError,
  HoneError,
  InvalidRequestError,
  JobError,
  NotFoundError,
  PermissionError,
  RateLimitError,
  ServerError,
} from "./errors.ts";
export type {
  Dataset,
  AuditEntry,
  DatasetRows,
  CalibrateRequest,
  EvaluateRequest,
  Graph,
  Hook,
  HookDelivery,
  Job,
  Key,
  MeasurementJob,
  Model,
  Problem,
  PruneOptions,
  QuantizeOptions,
  Recipe,
  Report,
  ReportSummary,
  SimplifyOptions,
  TrainingJob,
  TrainingRequest,
  Usage,
  WebhookDelivery,
  WebhookEndpoint,
} from "./generated/schema.d.ts";
export { Hone, type PruneQuery, type QuantizeQuery, type SimplifyQuery } from "./hone.ts";
export type { FollowOptions, JobEvent, Jobs } from "./jobs.ts";
export type { Models } from "./models.ts";
export type { ListOptions } from "./pages.ts";
export type { TrainingJobs } from "./training-jobs.ts";
export type { Recipes } from "./recipes.ts";
export type { Hooks } from "./hooks.ts";
export type { Keys } from "./keys.ts";
export type { WebhookEndpoints } from "./webhook-endpoints.ts";
export { verifyWebhook, WebhookVerificationError } from "./webhooks.ts";
export type { Workspace } from "./workspace.ts";
export type { Bytes, HoneOptions, Transport } from "./transport.ts";
export type { ModelFile, UploadOptions } from "./uploads.ts";
