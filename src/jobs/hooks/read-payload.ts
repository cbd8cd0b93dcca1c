/** @file What a delivery asks for: the models to fetch, or why there is nothing to do. Its sender is known by now. */
import { matchesGlob } from "./glob.ts";
import type { HookConfig, HookSource, HookWork } from "./hook.ts";

export type Decision = { ignored: string } | { works: HookWork[] };

/** Models of one delivery. */
const MAX_WORKS = 20;

interface Payload {
  workspace: string;
  config: HookConfig;
  /** As the source names it in a header, or in the payload. */
  event: string;
  payload: Record<string, unknown>;
  /** Of the Hugging Face hub. */
  hub: string;
}

export function readPayload(source: HookSource, given: Payload): Decision {
  const decided = READERS[source](given);
  if ("ignored" in decided || decided.works.length <= MAX_WORKS) return decided;
  return { ignored: `it names ${decided.works.length} models, at most ${MAX_WORKS} are taken` };
}

const READERS: Record<HookSource, (given: Payload) => Decision> = {
  standard: readStandard,
  github: ({ event, ...given }) => {
    if (event === "release") return readRelease({ event, ...given });
    if (event === "push") return readPush({ event, ...given });
    return { ignored: `the event "${event}" is no release and no push` };
  },
  huggingface: readHuggingFace,
  r2: readObject,
};

function readStandard({ config: { filter, model }, payload }: Payload): Decision {
  const repository = at(payload, "repository.full_name") ?? at(payload, "repository");
  const unfit =
    outside("repository", filter.repository, repository) ??
    outside("tag", filter.tag, at(payload, "tag"));
  if (unfit !== undefined) return { ignored: unfit };
  const template = model.url ?? "";
  const whole = /^\{([\w.]+)\}$/.exec(template)?.[1];
  let missing: string | undefined;
  const value = (path: string) => {
    const found = at(payload, path);
    if (typeof found === "string" || typeof found === "number") return String(found);
    missing = path;
    return "";
  };
  const url =
    whole === undefined
      ? template.replaceAll(/\{([\w.]+)\}/g, (_, path: string) => encodeURIComponent(value(path)))
      : value(whole);
  if (missing !== undefined) return { ignored: `the payload has no text at ${missing}` };
  const path = URL.canParse(url) ? decodeURI(new URL(url).pathname).slice(1) : url;
  const elsewhere = outside("path", filter.path, at(payload, "path") ?? path);
  if (elsewhere !== undefined) return { ignored: elsewhere };
  return { works: [{ url, name: fileName(url) }] };
}

/** https://docs.github.com/en/webhooks/webhook-events-and-payloads#release */
function readRelease({ config: { filter, model }, payload }: Payload): Decision {
  const action = at(payload, "action");
  if (action !== "published") return { ignored: `the release was ${String(action)}` };
  const unfit =
    outside("repository", filter.repository, at(payload, "repository.full_name")) ??
    outside("tag", filter.tag, at(payload, "release.tag_name"));
  if (unfit !== undefined) return { ignored: unfit };
  const pattern = model.asset ?? "*.onnx";
  const works = listAt(payload, "release.assets").flatMap((asset) => {
    const name = at(asset, "name");
    const url = at(asset, "browser_download_url");
    if (typeof name !== "string" || typeof url !== "string") return [];
    const wanted = matchesGlob(pattern, name) && matchesGlob(filter.path ?? "**", name);
    return wanted ? [{ url, name }] : [];
  });
  if (works.length === 0) return { ignored: `no file of the release matches ${pattern}` };
  return { works };
}

/** https://docs.github.com/en/webhooks/webhook-events-and-payloads#push */
function readPush({ config: { filter }, payload }: Payload): Decision {
  const { path } = filter;
  if (path === undefined) return { ignored: "a push is listened to with a filter of path only" };
  const repository = at(payload, "repository.full_name");
  const ref = String(at(payload, "ref"));
  const tag = ref.startsWith("refs/tags/") ? ref.slice("refs/tags/".length) : undefined;
  const unfit =
    outside("repository", filter.repository, repository) ?? outside("tag", filter.tag, tag);
  if (unfit !== undefined) return { ignored: unfit };
  const commit = at(payload, "after");
  const files = listAt(payload, "commits").flatMap((each) =>
    [...listAt(each, "added"), ...listAt(each, "modified")].filter(
      (file): file is string => typeof file === "string" && matchesGlob(path, file),
    ),
  );
  if (files.length === 0) return { ignored: `no changed file matches ${path}` };
  const root = `https://raw.githubusercontent.com/${String(repository)}/${String(commit)}`;
  return {
    works: [...new Set(files)].map((file) => ({
      url: `${root}/${encodePath(file)}`,
      name: fileName(file),
    })),
  };
}

/** https://huggingface.co/docs/hub/webhooks */
function readHuggingFace({ config: { filter, model }, payload, hub }: Payload): Decision {
  const scope = String(at(payload, "event.scope"));
  const action = String(at(payload, "event.action"));
  const contentChanged = scope === "repo.content" && action === "update";
  if (!contentChanged && !(scope === "repo" && action === "create")) {
    return { ignored: `${action} of ${scope} changes no content` };
  }
  const type = at(payload, "repo.type");
  if (type !== "model") return { ignored: `the repository is a ${String(type)}` };
  const repository = at(payload, "repo.name");
  const refs = listAt(payload, "updatedRefs");
  const tag = refs
    .map((each) => at(each, "ref"))
    .find((ref) => typeof ref === "string" && ref.startsWith("refs/tags/"));
  const unfit =
    outside("repository", filter.repository, repository) ??
    outside("tag", filter.tag, typeof tag === "string" ? tag.slice("refs/tags/".length) : tag);
  if (unfit !== undefined) return { ignored: unfit };
  const revision = at(refs.at(-1), "newSha") ?? at(payload, "repo.headSha");
  if (typeof repository !== "string" || typeof revision !== "string") {
    return { ignored: "the payload has no repository or no revision" };
  }
  const path = model.path ?? "onnx/model.onnx";
  const unwanted = outside("path", filter.path, path);
  if (unwanted !== undefined) return { ignored: unwanted };
  if (/[*?]/.test(path)) return { works: [{ huggingface: { repository, revision, path } }] };
  return { works: [{ url: resolveUrl(hub, repository, revision, path), name: fileName(path) }] };
}

/** https://developers.cloudflare.com/r2/buckets/event-notifications/#message-format */
const CREATED = ["PutObject", "CopyObject", "CompleteMultipartUpload"];

/** A workspace's part of the exchange bucket is what begins with its id; globs see the rest of the key. */
function readObject({ config: { filter }, workspace, payload }: Payload): Decision {
  const action = String(at(payload, "action"));
  if (!CREATED.includes(action)) return { ignored: `${action} makes no object` };
  const key = at(payload, "object.key");
  const etag = at(payload, "object.eTag");
  if (typeof key !== "string" || typeof etag !== "string") {
    return { ignored: "the message has no object with key and eTag" };
  }
  if (!key.startsWith(`${workspace}/`))
    return { ignored: `its key does not begin with ${workspace}/` };
  const path = key.slice(workspace.length + 1);
  const unfit =
    outside("repository", filter.repository, at(payload, "bucket")) ??
    outside("tag", filter.tag, undefined) ??
    outside("path", filter.path ?? "**/*.onnx", path);
  if (unfit !== undefined) return { ignored: unfit };
  return { works: [{ object: { key, etag }, name: fileName(path) }] };
}

export function resolveUrl(hub: string, repository: string, revision: string, path: string) {
  return `${hub}/${encodePath(repository)}/resolve/${encodeURIComponent(revision)}/${encodePath(path)}`;
}

/** Why a value is not wanted; `undefined` when it is. */
function outside(what: string, pattern: string | undefined, value: unknown): string | undefined {
  if (pattern === undefined) return undefined;
  if (typeof value !== "string") return `it is about no ${what}, and ${pattern} is asked for`;
  return matchesGlob(pattern, value) ? undefined : `the ${what} ${value} does not match ${pattern}`;
}

/** `data.url` of the payload. */
function at(value: unknown, path: string): unknown {
  let found = value;
  for (const name of path.split(".")) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name))
      return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

function listAt(value: unknown, path: string): unknown[] {
  const found = at(value, path);
  return Array.isArray(found) ? found : [];
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function fileName(path: string): string {
  return path.split(/[?#]/)[0]?.split("/").at(-1)?.slice(0, 200) || "model.onnx";
}
