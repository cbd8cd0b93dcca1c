/** @file Datasets: rows in D1, one R2 object per field. Every function takes the workspace and sees nothing else. */
import { type DatasetDescription, type DatasetField, rowBytes } from "../data/dataset.ts";
import type { DatasetPlan } from "../data/plan.ts";
import type { ByteSink } from "../onnx/source.ts";
import { DatasetRows } from "./dataset-rows.ts";
import { newId } from "./id.ts";
import type { Page, PageRequest } from "./page.ts";
import { page } from "./page.ts";
import { R2Sink } from "./r2-sink.ts";
import {
  releaseObjects,
  type TemporaryObject,
  type TemporaryObjects,
} from "./temporary-objects.ts";

export interface StoredDataset extends DatasetDescription {
  id: string;
  name: string;
  format: string;
  /** Of the file as it was sent. */
  sha256: string;
  created_at: number;
}

export interface NewDataset {
  name: string;
  format: string;
  sha256: string;
}

interface Row {
  id: string;
  name: string;
  format: string;
  rows: number;
  sha256: string;
  created_at: number;
  fields: string;
}

const SELECT = `SELECT id, name, format, rows, sha256, created_at,
  (SELECT json_group_array(json_object('name', f.name, 'dtype', f.dtype, 'shape', json(f.shape)))
   FROM (SELECT * FROM dataset_fields WHERE dataset_id = datasets.id ORDER BY position) f) AS fields
  FROM datasets WHERE workspace_id = ?`;

function fromRow(row: Row): StoredDataset {
  return { ...row, fields: JSON.parse(row.fields) };
}

export async function listDatasets(
  db: D1Database,
  workspace: string,
  request: PageRequest,
): Promise<Page<StoredDataset>> {
  const { rows, next } = await page<Row>(db, SELECT, [workspace], request);
  return { rows: rows.map(fromRow), next };
}

export async function findDataset(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<StoredDataset | undefined> {
  const row = await db.prepare(`${SELECT} AND id = ?`).bind(workspace, id).first<Row>();
  return row ? fromRow(row) : undefined;
}

/** A dataset with its fields' objects in R2, by name. */
export async function findFields(
  env: Env,
  workspace: string,
  id: string,
): Promise<{ dataset: StoredDataset; keys: ReadonlyMap<string, string> } | undefined> {
  const dataset = await findDataset(env.DB, workspace, id);
  if (!dataset) return undefined;
  const { results } = await env.DB.prepare(
    "SELECT name, object_key AS key FROM dataset_fields WHERE dataset_id = ?",
  )
    .bind(id)
    .all<{ name: string; key: string }>();
  return { dataset, keys: new Map(results.map(({ name, key }) => [name, key])) };
}

/** The dataset's rows by range. */
export async function openDataset(
  env: Env,
  workspace: string,
  id: string,
): Promise<DatasetRows | undefined> {
  const found = await findFields(env, workspace, id);
  if (!found) return undefined;
  const { fields, rows } = found.dataset;
  return new DatasetRows(env.BLOBS, { fields, rows }, found.keys);
}

/**
 * Streams a plan's fields to R2 and enters the dataset, all or nothing: until the last step the objects are
 * temporary ones of the request.
 * @throws DatasetError for what is found wrong only while the rows stream
 */
export async function addDataset(
  env: Env,
  workspace: string,
  objects: TemporaryObjects,
  plan: DatasetPlan,
  dataset: NewDataset,
): Promise<StoredDataset> {
  const { fields, rows } = plan;
  const keys = new Map<number, string>();
  for (const pass of plan.passes) {
    const sinks: FieldSink[] = [];
    try {
      for (const index of pass.fields) {
        const field = fields[index];
        if (!field) throw new RangeError(`store: the plan has no field ${index}`);
        const object = await objects.create();
        sinks.push(new FieldSink(objects, object, field, rows));
        keys.set(index, object.key);
      }
      await pass.write(sinks);
      for (const sink of sinks) await sink.finish();
    } catch (error) {
      for (const sink of sinks) await sink.abort();
      throw error;
    }
  }
  const id = newId("dataset");
  const createdAt = Date.now();
  await env.DB.batch([
    env.DB.prepare(
      "INSERT INTO datasets (id, workspace_id, name, format, rows, sha256, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ).bind(id, workspace, dataset.name, dataset.format, rows, dataset.sha256, createdAt),
    ...fields.map((field, index) =>
      env.DB.prepare(
        "INSERT INTO dataset_fields (dataset_id, position, name, dtype, shape, bytes, object_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
      ).bind(
        id,
        index,
        field.name,
        field.dtype,
        JSON.stringify(field.shape),
        rowBytes(field) * rows,
        keys.get(index) ?? "",
      ),
    ),
    env.DB.prepare(
      "DELETE FROM temporary_objects WHERE object_key IN (SELECT object_key FROM dataset_fields WHERE dataset_id = ?)",
    ).bind(id),
  ]);
  return { id, fields, rows, created_at: createdAt, ...dataset };
}

/** A field's object, which has as many bytes as its rows need, or is an error. */
class FieldSink implements ByteSink {
  readonly #sink: R2Sink;
  readonly #field: DatasetField;
  readonly #need: number;
  #bytes = 0;

  constructor(
    objects: TemporaryObjects,
    object: TemporaryObject,
    field: DatasetField,
    rows: number,
  ) {
    this.#field = field;
    this.#need = rowBytes(field) * rows;
    this.#sink = new R2Sink(objects.bucket, object, {
      mostBytes: this.#need,
      idle: objects.idleParts,
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#need) throw this.#error();
    await this.#sink.write(bytes);
  }

  async finish(): Promise<void> {
    if (this.#bytes !== this.#need) throw this.#error();
    await this.#sink.finish();
  }

  async abort(): Promise<void> {
    await this.#sink.abort();
  }

  #error(): RangeError {
    return new RangeError(
      `store: field "${this.#field.name}" has ${this.#bytes} bytes, its rows need ${this.#need}`,
    );
  }
}

/** Deletes a dataset and its bytes, unless a job that is not over reads it. */
export async function deleteDataset(
  env: Env,
  workspace: string,
  id: string,
): Promise<"deleted" | "not_found" | "in_use"> {
  if (!(await findDataset(env.DB, workspace, id))) return "not_found";
  const owner = `delete/${id}`;
  const unused = `id = ?1 AND workspace_id = ?2 AND NOT EXISTS
    (SELECT 1 FROM job_inputs i JOIN jobs j ON j.id = i.job_id
     WHERE i.input_id = ?1 AND j.state IN ('queued', 'running'))`;
  const [, removed] = await env.DB.batch([
    env.DB.prepare(
      `INSERT INTO temporary_objects (object_key, owner, expires_at)
       SELECT object_key, ?3, ?4 FROM dataset_fields
       WHERE dataset_id = (SELECT id FROM datasets WHERE ${unused})`,
    ).bind(id, workspace, owner, Date.now()),
    env.DB.prepare(`DELETE FROM datasets WHERE ${unused}`).bind(id, workspace),
  ]);
  if (!removed?.meta.changes) return "in_use";
  await releaseObjects(env, owner);
  return "deleted";
}
