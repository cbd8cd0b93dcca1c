/** @file The catalogue of models: rows in D1, bytes in R2 by content. Every function takes the workspace and sees nothing else. */
import type { ModelInput } from "../compress/types.ts";
import type { RecipeName } from "../jobs/recipes/recipe.ts";
import { newId } from "./id.ts";
import type { Page, PageRequest } from "./page.ts";
import { page } from "./page.ts";
import { R2Source } from "./r2-source.ts";
import type { Spooled } from "./spool.ts";
import { releaseObjects, type TemporaryObjects } from "./temporary-objects.ts";
import { MemorySource } from "../onnx/source.ts";

export interface ValueDescription {
  name: string;
  type: string;
  /** Sizes, symbols, `null` where unknown; `null` as a whole when the rank is not known. */
  shape: (number | string | null)[] | null;
}

/** What one wants to know of a model without opening it. */
export interface ModelDescription {
  ir_version: number;
  /** Of ai.onnx; `null` for a model that does not import it. */
  opset: number | null;
  opsets: Record<string, number>;
  producer: string;
  nodes: number;
  parameters: number;
  inputs: ValueDescription[];
  outputs: ValueDescription[];
}

export interface ModelFile {
  /** `""` is the model itself. */
  location: string;
  sha256: string;
  bytes: number;
}

/** What a model was made from. */
export interface Lineage {
  /** The model it was made of; it may be deleted since. */
  parent: string;
  job: string;
  operation: string;
  options: Record<string, unknown>;
  /** Of a trained model. */
  dataset?: string;
  /** The stored recipe whose step, or whose search, it was made by. */
  recipe?: RecipeName;
}

export interface StoredModel {
  id: string;
  name: string;
  job_id: string | null;
  lineage: Lineage | null;
  description: ModelDescription;
  files: ModelFile[];
  created_at: number;
}

export interface NewModel {
  /** Default: a new one. A job names its result beforehand, so that a second attempt finds the first one's. */
  id?: string;
  name: string;
  lineage?: Lineage;
  description: ModelDescription;
  files: (Spooled & { location: string })[];
}

interface Row {
  id: string;
  name: string;
  job_id: string | null;
  lineage: string | null;
  description: string;
  files: string;
  created_at: number;
}

const SELECT = `SELECT id, name, job_id, lineage, description, created_at,
  (SELECT json_group_array(json_object('location', location, 'sha256', sha256, 'bytes', bytes))
   FROM model_files WHERE model_id = models.id) AS files
  FROM models WHERE workspace_id = ?`;

function fromRow(row: Row): StoredModel {
  return {
    ...row,
    lineage: row.lineage === null ? null : JSON.parse(row.lineage),
    description: JSON.parse(row.description),
    files: JSON.parse(row.files),
  };
}

export async function listModels(
  db: D1Database,
  workspace: string,
  request: PageRequest,
): Promise<Page<StoredModel>> {
  const { rows, next } = await page<Row>(db, SELECT, [workspace], request);
  return { rows: rows.map(fromRow), next };
}

export async function findModel(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<StoredModel | undefined> {
  const row = await db.prepare(`${SELECT} AND id = ?`).bind(workspace, id).first<Row>();
  return row ? fromRow(row) : undefined;
}

/** A stored file's object: its key in R2, size and hash. */
export async function findFile(
  db: D1Database,
  workspace: string,
  id: string,
  location: string,
): Promise<(ModelFile & { key: string }) | undefined> {
  return (await modelObjects(db, workspace, id)).find((file) => file.location === location);
}

/** The model's files as range sources. */
export async function openModel(
  env: Env,
  workspace: string,
  id: string,
): Promise<ModelInput | undefined> {
  const found = await modelObjects(env.DB, workspace, id);
  const open = (location: string) => {
    const file = found.find((candidate) => candidate.location === location);
    return file && new R2Source(env.BLOBS, file.key, file.bytes);
  };
  const source = open("");
  const { sha256 = "" } = found.find(({ location }) => location === "") ?? {};
  return source && { source, sha256, external: async (location) => open(location) };
}

/** The model's files with their keys in R2; none where there is no such model. */
export async function modelObjects(db: D1Database, workspace: string, id: string) {
  const { results } = await db
    .prepare(
      `SELECT location, sha256, f.bytes AS bytes, object_key AS key
       FROM model_files f JOIN blobs USING (workspace_id, sha256)
       WHERE workspace_id = ? AND model_id = ?`,
    )
    .bind(workspace, id)
    .all<ModelFile & { key: string }>();
  return results;
}

/**
 * Enters a model and makes its files permanent, all or nothing. Content that the workspace has already
 * is not stored again.
 */
export async function addModel(
  env: Env,
  workspace: string,
  objects: TemporaryObjects,
  model: NewModel,
): Promise<StoredModel> {
  const id = model.id ?? newId("model");
  const createdAt = Date.now();
  const insert = (stored: readonly (ModelFile & { key: string })[]) =>
    env.DB.batch([
      ...stored.map(({ sha256, key, bytes }) =>
        env.DB.prepare(
          "INSERT OR IGNORE INTO blobs (workspace_id, sha256, object_key, bytes) VALUES (?, ?, ?, ?)",
        ).bind(workspace, sha256, key, bytes),
      ),
      env.DB.prepare(
        `INSERT INTO models (id, workspace_id, name, job_id, lineage, description, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ).bind(
        id,
        workspace,
        model.name,
        model.lineage?.job ?? null,
        model.lineage ? JSON.stringify(model.lineage) : null,
        JSON.stringify(model.description),
        createdAt,
      ),
      ...model.files.map(({ location, sha256, bytes }) =>
        env.DB.prepare(
          "INSERT INTO model_files (model_id, workspace_id, location, sha256, bytes) VALUES (?, ?, ?, ?, ?)",
        ).bind(id, workspace, location, sha256, bytes),
      ),
      ...stored.map(({ key }) =>
        env.DB.prepare(
          "DELETE FROM temporary_objects WHERE object_key = ?1 AND EXISTS (SELECT 1 FROM blobs WHERE object_key = ?1)",
        ).bind(key),
      ),
    ]);
  try {
    await insert(await storeMissing(env, workspace, objects, model));
  } catch (error) {
    // The content that was there a moment ago went with its last model: its foreign key is missing now.
    if (!String(error).includes("FOREIGN KEY")) throw error;
    await insert(await storeMissing(env, workspace, objects, model));
  }
  const modelFiles = model.files.map(({ location, sha256, bytes }) => ({
    location,
    sha256,
    bytes,
  }));
  return {
    id,
    name: model.name,
    job_id: model.lineage?.job ?? null,
    lineage: model.lineage ?? null,
    description: model.description,
    files: modelFiles,
    created_at: createdAt,
  };
}

/** Puts those files into R2 whose content is not there yet; gives the objects that are to become blobs. */
async function storeMissing(
  env: Env,
  workspace: string,
  objects: TemporaryObjects,
  model: NewModel,
): Promise<(ModelFile & { key: string })[]> {
  const stored: (ModelFile & { key: string })[] = [];
  for (const { location, sha256, bytes, object, source } of model.files) {
    if (object) {
      stored.push({ location, sha256, bytes, key: object.key });
      continue;
    }
    const known = await env.DB.prepare("SELECT 1 FROM blobs WHERE workspace_id = ? AND sha256 = ?")
      .bind(workspace, sha256)
      .first();
    if (known) continue;
    if (!(source instanceof MemorySource))
      throw new TypeError("store: a spooled body without object");
    const { key } = await objects.create();
    await env.BLOBS.put(key, source.bytes);
    stored.push({ location, sha256, bytes, key });
  }
  return stored;
}

/** Deletes a model, and its bytes unless another model has the same. */
export async function deleteModel(
  env: Env,
  workspace: string,
  id: string,
): Promise<"deleted" | "not_found" | "in_use"> {
  const found = await modelObjects(env.DB, workspace, id);
  if (found.length === 0) return "not_found";
  const owner = `delete/${id}`;
  const orphans = `FROM blobs WHERE workspace_id = ?1 AND sha256 IN (SELECT value FROM json_each(?2))
    AND NOT EXISTS (SELECT 1 FROM model_files f WHERE f.workspace_id = ?1 AND f.sha256 = blobs.sha256)`;
  const hashes = JSON.stringify(found.map(({ sha256 }) => sha256));
  const [removed] = await env.DB.batch([
    env.DB.prepare(
      `DELETE FROM models WHERE id = ?1 AND workspace_id = ?2 AND NOT EXISTS
       (SELECT 1 FROM jobs LEFT JOIN job_inputs ON job_id = jobs.id
        WHERE (model_id = ?1 OR input_id = ?1) AND state IN ('queued', 'running'))`,
    ).bind(id, workspace),
    env.DB.prepare(
      `INSERT INTO temporary_objects (object_key, owner, expires_at) SELECT object_key, ?3, ?4 ${orphans}`,
    ).bind(workspace, hashes, owner, Date.now()),
    env.DB.prepare(`DELETE ${orphans}`).bind(workspace, hashes),
  ]);
  if (!removed?.meta.changes) return "in_use";
  await releaseObjects(env, owner);
  return "deleted";
}
