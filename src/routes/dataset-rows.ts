/** @file /v1/datasets/{id}/rows: some rows of a dataset, to look at. */
import { createRoute, z } from "@hono/zod-openapi";
import { rowBytes } from "../data/dataset.ts";
import { rowValues } from "../data/row-values.ts";
import { ApiError } from "../problem/api-error.ts";
import { openDataset } from "../store/datasets.ts";
import { createRouter } from "./context.ts";
import { idParam, problems } from "./schemas.ts";

/** As numbers in JSON this is some four times as much. */
const MAX_BYTES = 1 << 20;

const RowsQuery = z.strictObject({
  start: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 32)
    .default(0)
    .openapi({ description: "The first row, from 0.", example: 0 }),
  limit: z.coerce.number().int().min(1).max(100).default(10).openapi({
    description: "Most rows; fewer come where they have more than 1 MiB together.",
    example: 10,
  }),
  fields: z
    .string()
    .optional()
    .openapi({ description: "Only these, separated by commas.", example: "label" }),
});

const Rows = z
  .object({
    object: z.literal("list"),
    data: z.array(z.record(z.string(), z.unknown())).openapi({
      description:
        "By row, by field: a number, or nested lists of them; NaN, infinities and integers beyond 2^53 as text.",
      example: [{ label: 7 }],
    }),
    start: z.number().int(),
    rows: z.number().int().openapi({ description: "Of the whole dataset." }),
    has_more: z.boolean(),
  })
  .openapi("DatasetRows");

const read = createRoute({
  method: "get",
  path: "/v1/datasets/{id}/rows",
  operationId: "getDatasetRows",
  tags: ["Datasets"],
  summary: "Look at rows",
  request: { params: idParam("dataset", "dataset_2f9k4w"), query: RowsQuery },
  responses: {
    200: { description: "The rows.", content: { "application/json": { schema: Rows } } },
    ...problems(400, 404, 413, 422, 503),
  },
});

export const datasetRows = createRouter().openapi(read, async (c) => {
  const { id } = c.req.valid("param");
  const { start, limit, fields: names } = c.req.valid("query");
  const source = await openDataset(c.env, c.get("workspace"), id);
  if (!source) throw new ApiError("not_found", `there is no dataset ${id}`);
  const { rows, fields: all } = source.description;
  const wanted = names?.split(",") ?? all.map(({ name }) => name);
  const fields = wanted.map((name) => {
    const field = all.find((each) => each.name === name);
    if (!field) throw new ApiError("unknown_name", `the dataset has no field "${name}"`);
    return field;
  });
  const bytesPerRow = fields.reduce((sum, field) => sum + rowBytes(field), 0);
  if (bytesPerRow > MAX_BYTES) {
    throw new ApiError(
      "dataset_too_large",
      `a row has ${bytesPerRow} bytes, at most ${MAX_BYTES} are shown; choose \`fields\``,
    );
  }
  const first = Math.min(start, rows);
  const end = Math.min(first + limit, first + Math.floor(MAX_BYTES / bytesPerRow), rows);
  const data: Record<string, unknown>[] = Array.from({ length: end - first }, () => ({}));
  for (const field of fields) {
    const values = rowValues(field, await source.read(field.name, first, end));
    for (const [index, value] of values.entries())
      Object.assign(data[index] ?? {}, { [field.name]: value });
  }
  return c.json({ object: "list" as const, data, start: first, rows, has_more: end < rows }, 200);
});
