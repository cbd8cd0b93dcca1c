/** @file A dataset as the API shows it, and the query that says how a file becomes one. */
import { z } from "@hono/zod-openapi";
import { datasetBytes, FIELD_TYPES } from "../data/dataset.ts";
import { parseFields, parseTypes } from "../data/field-spec.ts";
import type { CsvOptions } from "../data/csv/read-csv.ts";
import type { StoredDataset } from "../store/datasets.ts";
import { seconds, Timestamp } from "./schemas.ts";

const Field = z
  .object({
    name: z.string().openapi({ example: "image" }),
    dtype: z.enum(FIELD_TYPES),
    shape: z.array(z.number().int()).openapi({
      description: "Of one row; empty for one number per row.",
      example: [28, 28],
    }),
  })
  .openapi("DatasetField");

export const Dataset = z
  .object({
    id: z.string().openapi({ example: "dataset_2f9k4w" }),
    object: z.literal("dataset"),
    name: z.string().openapi({ example: "digits.npz" }),
    format: z.enum(["npz", "npy", "safetensors", "csv", "parquet"]).openapi({
      description: "What was sent; all are stored alike.",
    }),
    fields: z.array(Field),
    rows: z.number().int().openapi({ example: 60000 }),
    bytes: z.number().int().openapi({ description: "Of all rows of all fields." }),
    sha256: z.string().openapi({
      description: "Of the file that was sent.",
      example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }),
    created_at: Timestamp,
  })
  .openapi("Dataset");

export function datasetBody(dataset: StoredDataset) {
  const { id, name, format, fields, rows, sha256 } = dataset;
  return {
    id,
    object: "dataset" as const,
    name,
    format: format as z.infer<typeof Dataset>["format"],
    fields,
    rows,
    bytes: datasetBytes(dataset),
    sha256,
    created_at: seconds(dataset.created_at),
  };
}

const specs = z.string().min(1).max(4000);

export const NewDatasetQuery = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .openapi({ description: "A name to show.", example: "digits.npz" }),
  fields: specs.optional().openapi({
    description:
      "csv, parquet: which columns make which field, as `NAME`, `NAME:PATTERN` or `NAME[AxB]:PATTERN` (`*` any " +
      "characters), separated by commas. Default: each column is a field. npy: the field's name.",
    example: "image[28x28]:pixel_*,label",
  }),
  dtype: specs.optional().openapi({
    description:
      "csv, parquet: one type for all fields, or `NAME:TYPE` for each. Default: Parquet's own; in csv whole numbers " +
      "become the narrowest of uint8, int16, int32, int64, others float32.",
    example: "image:uint8,label:int64",
  }),
  header: z.enum(["true", "false"]).optional().openapi({
    description: "csv: the first line has names. Default: unless all its cells are numbers.",
  }),
  delimiter: z
    .string()
    .regex(/^(tab|[^"\r\n0-9.+-])$/, "one character, or tab")
    .optional()
    .openapi({
      description: "csv. Default: that of `,` `;` tab `|` which the first line has most of.",
    }),
});

/** The query as the readers' options. */
export function readOptions(query: z.infer<typeof NewDatasetQuery>): CsvOptions {
  const { fields, dtype, header, delimiter } = query;
  return {
    fields: fields === undefined ? undefined : parseFields(fields),
    types: dtype === undefined ? undefined : parseTypes(dtype),
    header: header === undefined ? undefined : header === "true",
    delimiter: delimiter === "tab" ? "\t" : delimiter,
  };
}
