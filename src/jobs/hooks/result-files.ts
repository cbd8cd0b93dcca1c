/** @file The files of a hook's result: what they are called where they go, and short-lived addresses of them. */
import type { OptimizeOrder, OptimizeResult } from "../recipes/recipe.ts";
import { ApiError } from "../../problem/api-error.ts";
import { findModel, modelObjects } from "../../store/models.ts";
import { signedPath } from "../../store/signed-blobs.ts";
import type { ResultPlace } from "./hook.ts";

export interface ResultFile {
  /** The model's name, or where it looks for the external data. */
  file: string;
  /** In the bucket of blobs. */
  key: string;
  bytes: number;
  sha256: string;
}

/**
 * The model comes last: whoever sees it finds its external data.
 * @throws ApiError `not_found`
 */
export async function resultFiles(
  env: Env,
  workspace: string,
  modelId: string,
): Promise<ResultFile[]> {
  const model = await findModel(env.DB, workspace, modelId);
  if (!model) throw new ApiError("not_found", `the model ${modelId} was deleted`);
  const objects = await modelObjects(env.DB, workspace, modelId);
  return objects
    .toSorted((a, b) => Number(a.location === "") - Number(b.location === ""))
    .map(({ location, key, bytes, sha256 }) => ({
      file: location || nameOf(model.name),
      key,
      bytes,
      sha256,
    }));
}

/** Every file with an address that whoever has it may read for a while, where the order's hook wants that. */
export async function linksOf(
  env: Env,
  { workspace, delivery }: OptimizeOrder,
  modelId: string,
): Promise<Pick<OptimizeResult, "links">> {
  if (!delivery?.links) return {};
  const { origin, expires_in_s } = delivery.links;
  const expiresAt = Date.now() + expires_in_s * 1000;
  const files: ResultPlace[] = [];
  for (const { file, key, bytes, sha256 } of await resultFiles(env, workspace, modelId)) {
    const grant = { method: "GET" as const, key, bytes, sha256, expiresAt };
    const path = await signedPath(env.SIGNING_SECRET, grant);
    files.push({ file, bytes, sha256, place: `${origin}${path}` });
  }
  return { links: { expires_at: Math.floor(expiresAt / 1000), files } };
}

/** `{file}` and `{job}` of a template; each of them one or more segments of a path. */
export function placed(template: string, values: { file: string; job: string }, encode = same) {
  return template.replaceAll(/\{(file|job)\}/g, (_, name: "file" | "job") => encode(values[name]));
}

export function encodedPath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

const same = (text: string) => text;

/** One segment, and none that means another folder. */
function nameOf(name: string): string {
  const segment = name.split("/").at(-1) ?? "";
  return /^\.*$/.test(segment) ? "model.onnx" : segment;
}
