/** @file `hone datasets`: send rows to train on, list them, look at some, delete them. */
import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import type { Command } from "commander";
import type { Dataset } from "../../sdk/typescript/src/index.ts";
import { withService } from "./connection.ts";
import { bytes, table } from "./table.ts";

interface UploadFlags {
  name?: string;
  fields?: string;
  dtype?: string;
  header?: "true" | "false";
  delimiter?: string;
}

export function addDatasetCommands(program: Command): void {
  const datasets = program
    .command("datasets")
    .description("rows to train on, on the host in HONE_URL");
  datasets
    .command("upload")
    .argument("<file>", "npz, npy, safetensors, csv or parquet")
    .option("--name <name>", "a name to show (default: the file's)")
    .option(
      "--fields <list>",
      "csv, parquet: columns of each field, e.g. 'image[28x28]:pixel_*,label'",
    )
    .option("--dtype <list>", "csv, parquet: types, e.g. 'image:uint8,label:int64'")
    .option("--header <true|false>", "csv: whether the first line has names")
    .option("--delimiter <character>", "csv: what is between cells")
    .description("store a dataset")
    .action(async (file: string, flags: UploadFlags) => {
      const data = await openAsBlob(file);
      await withService(async ({ hone }) => {
        const stored = await hone.datasets.create(data, { name: basename(file), ...flags });
        console.log(listing([stored]));
        console.log(stored.fields.map((field) => `  ${field.name}  ${typeText(field)}`).join("\n"));
      });
    });
  datasets
    .command("list")
    .description("list the datasets, newest first")
    .action(async () => {
      await withService(async ({ hone }) => {
        const all: Dataset[] = [];
        for await (const dataset of hone.datasets.list({ limit: 100 })) all.push(dataset);
        console.log(listing(all));
      });
    });
  datasets
    .command("rows")
    .argument("<id>", "of the dataset")
    .option("--start <row>", "the first row", Number, 0)
    .option("--limit <count>", "how many", Number, 10)
    .description("print rows as JSON, one a line")
    .action(async (id: string, { start, limit }: { start: number; limit: number }) => {
      await withService(async ({ hone }) => {
        const { data } = await hone.datasets.rows(id, { start, limit });
        for (const row of data) console.log(JSON.stringify(row));
      });
    });
  datasets
    .command("delete")
    .argument("<id>", "of the dataset")
    .description("delete a dataset")
    .action(async (id: string) => {
      await withService(async ({ hone }) => await hone.datasets.delete(id));
    });
}

function listing(all: readonly Dataset[]): string {
  return table(
    ["id", "name", "format", "rows", "bytes", "fields"],
    all.map(({ id, name, format, rows, bytes: size, fields }) => [
      id,
      name,
      format,
      String(rows),
      bytes(size),
      fields.map((field) => field.name).join(", "),
    ]),
  );
}

function typeText({ dtype, shape }: Dataset["fields"][number]): string {
  return shape.length === 0 ? dtype : `${dtype} [${shape.join(", ")}]`;
}
