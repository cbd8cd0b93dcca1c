/** @file The model of a delivery: fetched from where the delivery says, into the catalogue. */
import { importUrl } from "../../import/import-url.ts";
import { ApiError } from "../../problem/api-error.ts";
import { findModel, type StoredModel } from "../../store/models.ts";
import { Spool } from "../../store/spool.ts";
import { releaseObjects, TemporaryObjects } from "../../store/temporary-objects.ts";
import { storeModel } from "../store-model.ts";
import { matchesGlob } from "./glob.ts";
import type { HookWork } from "./hook.ts";
import { resolveUrl } from "./read-payload.ts";

/** Of a repository's list of files. */
const MAX_LIST_BYTES = 4 << 20;

/**
 * Fetches and stores it under the id.
 * @param again an earlier attempt may have left parts of it, or the whole model
 * @throws ApiError for an address that is refused or does not answer, and for a model that is refused
 */
export async function importModel(
  env: Env,
  workspace: string,
  id: string,
  work: HookWork,
  again: boolean,
): Promise<StoredModel> {
  const owner = `import/${id}`;
  if (again) {
    await releaseObjects(env, owner);
    const before = await findModel(env.DB, workspace, id);
    if (before) return before;
  }
  const { body, name } = await open(env, work);
  const objects = new TemporaryObjects(env, workspace, owner);
  const spool = new Spool(objects, { expectedBytes: 0 });
  try {
    for await (const chunk of counted(body, Number(env.MAX_BODY_BYTES))) {
      await spool.write(chunk);
    }
    const model = await spool.finish();
    if (model.bytes === 0) throw new ApiError("empty_body", "there are no bytes at the address");
    return await storeModel(env, workspace, objects, { id, name, model, external: new Map() });
  } catch (error) {
    await spool.abort().catch(() => undefined);
    throw error;
  } finally {
    await objects.release();
  }
}

async function open(
  env: Env,
  work: HookWork,
): Promise<{ body: ReadableStream | null; name: string }> {
  if ("object" in work) {
    const { key, etag } = work.object;
    const object = await env.EXCHANGE.get(key, { onlyIf: { etagMatches: etag } });
    if (!object) throw new ApiError("not_found", `there is no object ${key}`);
    // Without a body: what was told of is not what is there.
    if (!("body" in object)) throw new ApiError("not_found", `${key} was replaced meanwhile`);
    return { body: object.body as ReadableStream, name: work.name };
  }
  const { url, name } = "url" in work ? work : await fileOf(env, work.huggingface);
  if (!URL.canParse(url)) throw new ApiError("url_not_allowed", "the delivery's address is no URL");
  return { body: (await importUrl(url, env)).body, name };
}

/** The one file of the repository that the glob fits. */
async function fileOf(
  env: Env,
  { repository, revision, path }: { repository: string; revision: string; path: string },
): Promise<{ url: string; name: string }> {
  const hub = env.HUGGINGFACE_URL;
  const response = await importUrl(
    `${hub}/api/models/${repository}/revision/${encodeURIComponent(revision)}`,
    env,
  );
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of counted(response.body, MAX_LIST_BYTES)) {
    text += decoder.decode(chunk, { stream: true });
  }
  const { siblings = [] } = JSON.parse(text) as { siblings?: { rfilename?: unknown }[] };
  const fitting = siblings
    .map(({ rfilename }) => rfilename)
    .filter((file): file is string => typeof file === "string" && matchesGlob(path, file));
  const [file] = fitting;
  if (file === undefined || fitting.length > 1) {
    const found = fitting.slice(0, 5).join(", ") || "none";
    throw new ApiError("url_not_allowed", `${path} has to fit one file; it fits ${found}`);
  }
  return {
    url: resolveUrl(hub, repository, revision, file),
    name: file.split("/").at(-1) ?? file,
  };
}

async function* counted(
  body: ReadableStream | null,
  maxBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array<ArrayBuffer>>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new ApiError("body_too_large", `there are more than ${maxBytes} bytes at the address`);
    }
    yield chunk;
  }
}
