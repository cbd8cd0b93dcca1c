/** @file /v1/datasets: add, list, get and delete datasets. */
import { createRoute, z } from "@hono/zod-openapi";
import { readDataset } from "../data/read-dataset.ts";
import { ApiError } from "../problem/api-error.ts";
import {
  addDataset,
  deleteDataset,
  findDataset,
  listDatasets,
  type StoredDataset,
} from "../store/datasets.ts";
import { decompressors } from "../store/decompressors.ts";
import { newId } from "../store/id.ts";
import { TemporaryObjects } from "../store/temporary-objects.ts";
import { type AppContext, createRouter, documentBody } from "./context.ts";
import { Dataset, datasetBody, NewDatasetQuery, readOptions } from "./dataset-schema.ts";
import { idempotent } from "./idempotency.ts";
import { DatasetImport, receiveDataset } from "./receive-dataset.ts";
import { IdempotencyHeaders, idParam, pageBody, pageOf, PageQuery, problems } from "./schemas.ts";

const bytes = z.string().openapi({ format: "binary" });
const Form = z.object({ dataset: bytes }).openapi("DatasetForm");
const id = idParam("dataset", "dataset_2f9k4w");

const create = createRoute({
  hide: true,
  method: "post",
  path: "/v1/datasets",
  operationId: "createDataset",
  tags: ["Datasets"],
  summary: "Store a dataset",
  description:
    "Takes npz, npy, safetensors, csv (UTF-8) or parquet; the bytes say which. Each array, tensor or column is a " +
    "field, its first axis the rows; all fields have as many rows. Only numbers and booleans are taken, no text, no " +
    "pickles, no nested columns, no nulls or empty cells; NaN and infinities are kept in float fields. A refused " +
    "file leaves nothing behind. At most 64 fields, 16 MiB a row and field, 4 GiB in all.",
  request: { query: NewDatasetQuery, headers: IdempotencyHeaders },
  responses: {
    201: {
      description: "The dataset.",
      headers: z.object({ Location: z.string() }),
      content: { "application/json": { schema: Dataset } },
    },
    ...problems(400, 403, 409, 413, 415, 422, 503),
  },
});

const list = createRoute({
  method: "get",
  path: "/v1/datasets",
  operationId: "listDatasets",
  tags: ["Datasets"],
  summary: "List datasets",
  request: { query: PageQuery },
  responses: {
    200: {
      description: "Newest first.",
      content: { "application/json": { schema: pageOf(Dataset, "DatasetList") } },
    },
    ...problems(400),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/datasets/{id}",
  operationId: "getDataset",
  tags: ["Datasets"],
  summary: "Get a dataset",
  request: { params: id },
  responses: {
    200: { description: "The dataset.", content: { "application/json": { schema: Dataset } } },
    ...problems(404),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/datasets/{id}",
  operationId: "deleteDataset",
  tags: ["Datasets"],
  summary: "Delete a dataset",
  description: "Its bytes go too. A dataset that a job is reading stays.",
  request: { params: id },
  responses: { 204: { description: "Deleted." }, ...problems(404, 409) },
});

export const datasets = createRouter()
  .openapi(create, async (c) => {
    const query = c.req.valid("query");
    const options = readOptions(query);
    const objects = new TemporaryObjects(c.env, c.get("workspace"), newId("request"));
    try {
      const { file, filename } = await receiveDataset(c, objects);
      return await idempotent(c, file.sha256, async () => {
        const plan = await readDataset(file.source, { ...options, decompressors });
        const stored = await addDataset(c.env, c.get("workspace"), objects, plan, {
          name: query.name ?? filename ?? `dataset.${plan.format}`,
          format: plan.format,
          sha256: file.sha256,
        });
        return c.json(datasetBody(stored), 201, { Location: `/v1/datasets/${stored.id}` });
      });
    } finally {
      await objects.release();
    }
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listDatasets(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, datasetBody), 200);
  })
  .openapi(read, async (c) => {
    return c.json(datasetBody(await requireDataset(c, c.req.valid("param").id)), 200);
  })
  .openapi(remove, async (c) => {
    const { id: dataset } = c.req.valid("param");
    const outcome = await deleteDataset(c.env, c.get("workspace"), dataset);
    if (outcome === "not_found") throw noDataset(dataset);
    if (outcome === "in_use") {
      throw new ApiError("dataset_in_use", `a job that is not over reads ${dataset}`);
    }
    return c.body(null, 204);
  });

// The body streams, so it is documented here and read by hand.
documentBody(datasets, create, {
  "application/octet-stream": { schema: bytes },
  "text/csv": { schema: bytes },
  "application/vnd.apache.parquet": { schema: bytes },
  "multipart/form-data": { schema: Form },
  "application/json": { schema: DatasetImport },
});

async function requireDataset(c: AppContext, dataset: string): Promise<StoredDataset> {
  const found = await findDataset(c.env.DB, c.get("workspace"), dataset);
  if (!found) throw noDataset(dataset);
  return found;
}

function noDataset(dataset: string): ApiError {
  return new ApiError("not_found", `there is no dataset ${dataset}`);
}
