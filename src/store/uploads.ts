/** @file Models that arrive in parts: one R2 multipart upload per file, its parts in D1, so that a client can resume. */
import { hex, newId } from "./id.ts";
import { type Page, page, type PageRequest } from "./page.ts";
import { R2Source } from "./r2-source.ts";
import type { Spooled } from "./spool.ts";
import { releaseObjects, TemporaryObjects } from "./temporary-objects.ts";

const LIFETIME_MS = 24 * 60 * 60 * 1000;
/** A completion that has not ended by then died. */
const CLAIM_MS = 16 * 60 * 1000;

export interface UploadPart {
  number: number;
  bytes: number;
  etag: string;
}

export interface UploadFile {
  location: string;
  object_key: string;
  multipart_id: string;
  parts: UploadPart[];
}

export interface Upload {
  id: string;
  name: string;
  state: "open" | "completing" | "completed" | "aborted";
  model_id: string | null;
  created_at: number;
  expires_at: number;
  files: UploadFile[];
}

export async function createUpload(
  db: D1Database,
  workspace: string,
  name: string,
): Promise<Upload> {
  const now = Date.now();
  const upload = { id: newId("upload"), name, created_at: now, expires_at: now + LIFETIME_MS };
  await db
    .prepare(
      "INSERT INTO uploads (id, workspace_id, name, state, created_at, expires_at) VALUES (?, ?, ?, 'open', ?, ?)",
    )
    .bind(upload.id, workspace, name, upload.created_at, upload.expires_at)
    .run();
  return { ...upload, state: "open", model_id: null, files: [] };
}

/** Of a workspace and a time: what has not expired by then. */
const SELECT = `SELECT id, name, state, model_id, created_at, expires_at FROM uploads
  WHERE workspace_id = ? AND expires_at > ?`;

type Row = Omit<Upload, "files">;

export async function findUpload(
  db: D1Database,
  workspace: string,
  id: string,
): Promise<Upload | undefined> {
  const select = db.prepare(`${SELECT} AND id = ?`).bind(workspace, Date.now(), id);
  const [found, files, parts] = await db.batch([select, ...selectFiles(db, [id])]);
  return withFiles((found?.results ?? []) as Row[], files, parts)[0];
}

/** Newest first. */
export async function listUploads(
  db: D1Database,
  workspace: string,
  request: PageRequest,
): Promise<Page<Upload>> {
  const { rows, next } = await page<Row>(db, SELECT, [workspace, Date.now()], request);
  const ids = rows.map(({ id }) => id);
  const [files, parts] = await db.batch(selectFiles(db, ids));
  return { rows: withFiles(rows, files, parts), next };
}

type FileRow = Omit<UploadFile, "parts"> & { upload_id: string };
type PartRow = UploadPart & { upload_id: string; location: string };

function selectFiles(db: D1Database, uploads: string[]): D1PreparedStatement[] {
  const of = "WHERE upload_id IN (SELECT value FROM json_each(?))";
  return [
    `SELECT upload_id, location, object_key, multipart_id FROM upload_files ${of} ORDER BY location`,
    `SELECT upload_id, location, number, bytes, etag FROM upload_parts ${of} ORDER BY number`,
  ].map((select) => db.prepare(select).bind(JSON.stringify(uploads)));
}

function withFiles(uploads: Row[], files?: D1Result, parts?: D1Result): Upload[] {
  const filesOf = Map.groupBy((files?.results ?? []) as FileRow[], (row) => row.upload_id);
  const partsOf = Map.groupBy((parts?.results ?? []) as PartRow[], (row) =>
    JSON.stringify([row.upload_id, row.location]),
  );
  return uploads.map((upload) => ({
    ...upload,
    files: (filesOf.get(upload.id) ?? []).map(({ upload_id: id, ...file }) => ({
      ...file,
      parts: (partsOf.get(JSON.stringify([id, file.location])) ?? []).map(
        ({ number, bytes, etag }) => ({ number, bytes, etag }),
      ),
    })),
  }));
}

/** Stores a part; one that is sent again replaces the first. */
export async function putPart(
  env: Env,
  workspace: string,
  upload: Upload,
  location: string,
  part: { number: number; bytes: number; body: ReadableStream | Uint8Array },
): Promise<UploadPart> {
  const file = await openFile(env, workspace, upload, location);
  const multipart = env.BLOBS.resumeMultipartUpload(file.object_key, file.multipart_id);
  const { etag } = await multipart.uploadPart(part.number, part.body);
  await env.DB.prepare(
    "INSERT OR REPLACE INTO upload_parts (upload_id, location, number, bytes, etag) VALUES (?, ?, ?, ?, ?)",
  )
    .bind(upload.id, location, part.number, part.bytes, etag)
    .run();
  return { number: part.number, bytes: part.bytes, etag };
}

/** The file's multipart upload, begun with its first part. Of two first parts at once, one begins in vain. */
async function openFile(env: Env, workspace: string, upload: Upload, location: string) {
  const known = upload.files.find((file) => file.location === location);
  if (known) return known;
  const object = await new TemporaryObjects(env, workspace, upload.id, LIFETIME_MS).create();
  const multipart = await env.BLOBS.createMultipartUpload(object.key);
  await object.setMultipartId(multipart.uploadId);
  const [, found] = await env.DB.batch<Omit<UploadFile, "parts">>([
    env.DB.prepare(
      "INSERT OR IGNORE INTO upload_files (upload_id, location, object_key, multipart_id) VALUES (?, ?, ?, ?)",
    ).bind(upload.id, location, object.key, multipart.uploadId),
    env.DB.prepare(
      "SELECT location, object_key, multipart_id FROM upload_files WHERE upload_id = ? AND location = ?",
    ).bind(upload.id, location),
  ]);
  const [file] = found?.results ?? [];
  if (!file)
    throw new Error(`store: upload ${upload.id} has no file "${location}" after it was added`);
  return file;
}

/** Takes the upload for completion: true for one caller only. */
export async function claimUpload(db: D1Database, id: string): Promise<boolean> {
  const now = Date.now();
  const { meta } = await db
    .prepare(
      `UPDATE uploads SET state = 'completing', claimed_at = ?
       WHERE id = ? AND (state = 'open' OR (state = 'completing' AND claimed_at < ?))`,
    )
    .bind(now, id, now - CLAIM_MS)
    .run();
  return meta.changes > 0;
}

export async function setUploadState(
  db: D1Database,
  id: string,
  state: Upload["state"],
  modelId: string | null = null,
): Promise<void> {
  await db
    .prepare("UPDATE uploads SET state = ?, model_id = ? WHERE id = ?")
    .bind(state, modelId, id)
    .run();
}

/** Joins a file's parts into one object and hashes it. Done before (by a completion that died), it is only hashed. */
export async function joinParts(env: Env, file: UploadFile): Promise<Spooled> {
  const bytes = file.parts.reduce((sum, part) => sum + part.bytes, 0);
  const done = await env.BLOBS.head(file.object_key);
  if (done?.size !== bytes) {
    await env.BLOBS.resumeMultipartUpload(file.object_key, file.multipart_id).complete(
      file.parts.map(({ number, etag }) => ({ partNumber: number, etag })),
    );
  }
  const object = await env.BLOBS.get(file.object_key);
  if (!object) throw new Error(`store: the object ${file.object_key} is gone after its completion`);
  const digest = new crypto.DigestStream("SHA-256");
  await object.body.pipeTo(digest);
  return {
    source: new R2Source(env.BLOBS, file.object_key, bytes),
    bytes,
    sha256: hex(await digest.digest),
    object: { key: file.object_key, setMultipartId: async () => undefined },
  };
}

/** Ends an upload and deletes its bytes. */
export async function abortUpload(env: Env, id: string): Promise<void> {
  await setUploadState(env.DB, id, "aborted");
  await releaseObjects(env, id);
}

export async function sweepUploads(db: D1Database, now: number): Promise<void> {
  await db.prepare("DELETE FROM uploads WHERE expires_at <= ?").bind(now).run();
}
