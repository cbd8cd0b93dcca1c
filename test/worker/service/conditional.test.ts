import { beforeAll, expect, it } from "vitest";
import { api } from "../../../src/routes/api.ts";
import { openApiDocument } from "../../../src/routes/openapi-document.ts";
import { digitsNpz } from "./dataset-files.ts";
import { linearFile } from "./models.ts";
import { type Answer, type CallInit, call, newWorkspace, type Workspace } from "./service.ts";

let workspace: Workspace;
let file: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  [workspace, file] = [await newWorkspace(), await linearFile()];
});

const STEPS = [{ op: "prune", amount: 0.5 }];
/** One of each resource that can be read and deleted: what makes it. */
const MADE: Record<string, () => CallInit> = {
  "/v1/models": () => ({ body: file }),
  "/v1/recipes": () => ({ json: { name: "halve", steps: STEPS } }),
  "/v1/hooks": () => ({
    json: { source: "standard", model: { url: "{data.url}" }, steps: STEPS },
  }),
  "/v1/uploads": () => ({ json: {} }),
  "/v1/datasets": () => ({ body: digitsNpz() }),
  "/v1/runner-tokens": () => ({ json: {} }),
  "/v1/webhook-endpoints": () => ({
    json: { url: "http://127.0.0.1:9/" },
    env: { ALLOW_LOOPBACK: "1" },
  }),
  "/v1/keys": () => ({ json: { name: "k" } }),
};

async function make(collection: string): Promise<string> {
  const made = await workspace.call(collection, MADE[collection]?.());
  expect([collection, made.status]).toEqual([collection, 201]);
  return `${collection}/${made.json.id}`;
}

const problemOf = ({ json }: Answer) => [json.status, json.code];
const CHANGED = [412, "precondition_failed"];

it("whatever can be deleted can be read, and says both conditions", () => {
  const paths = (openApiDocument(api).paths ?? {}) as Record<
    string,
    Record<string, { parameters?: { name: string }[]; responses: object }>
  >;
  const deletable = Object.entries(paths).filter(([, item]) => item.delete);
  expect(deletable.map(([path]) => path).sort()).toEqual(
    [...Object.keys(MADE).map((each) => `${each}/{id}`), "/v1/workspace"].sort(),
  );
  for (const [path, { get, delete: remove }] of deletable) {
    const names = (operation = get) => operation?.parameters?.map(({ name }) => name);
    expect([path, names()]).toEqual([path, expect.arrayContaining(["if-none-match"])]);
    expect([path, names(remove)]).toEqual([path, expect.arrayContaining(["if-match"])]);
    expect(Object.keys(get?.responses ?? {})).toEqual(expect.arrayContaining(["304", "412"]));
    expect(Object.keys(remove?.responses ?? {})).toContain("412");
  }
});

it.each(Object.keys(MADE))(
  "%s: a read has a strong ETag, which spares the next one",
  async (at) => {
    const path = await make(at);
    const read = await workspace.call(path);
    const etag = read.headers.get("ETag") ?? "";
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    // Compressed on the way, it would arrive weak.
    expect(read.headers.get("Cache-Control")).toContain("no-transform");
    expect((await workspace.call(path, { method: "HEAD" })).headers.get("ETag")).toBe(etag);
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const spared = await workspace.call(path, { headers: { "If-None-Match": tags } });
      expect([spared.status, spared.text, spared.headers.get("ETag")]).toEqual([304, "", etag]);
    }
    const anew = await workspace.call(path, { headers: { "If-None-Match": '"other"' } });
    expect([anew.status, anew.json]).toEqual([200, read.json]);
    expect(problemOf(await workspace.call(path, { headers: { "If-Match": '"other"' } }))).toEqual(
      CHANGED,
    );
  },
);

it.each(Object.keys(MADE))("%s: If-Match deletes what was read, and nothing else", async (at) => {
  const path = await make(at);
  const etag = (await workspace.call(path)).headers.get("ETag") ?? "";
  const remove = (tags: string) =>
    workspace.call(path, { method: "DELETE", headers: { "If-Match": tags } });
  for (const tags of ['"other"', `W/${etag}`, etag.replaceAll('"', ""), ""]) {
    expect([tags, ...problemOf(await remove(tags))]).toEqual([tags, ...CHANGED]);
  }
  // A revoked token stays in the list, so it is its ETag that tells.
  expect((await workspace.call(path)).headers.get("ETag")).toBe(etag);
  expect((await remove(`"other", ${etag}`)).status).toBe(204);
  const other = await make(at);
  const any = { method: "DELETE", headers: { "If-Match": "*" } };
  expect((await workspace.call(other, any)).status).toBe(204);
});

it("the workspace stays where it has changed", async () => {
  const { id, call: ask } = await newWorkspace();
  const etag = (await ask("/v1/workspace")).headers.get("ETag") ?? "";
  await ask("/v1/models", { body: file });
  const deletion = { method: "DELETE", json: { confirm: id }, headers: { "If-Match": etag } };
  expect(problemOf(await ask("/v1/workspace", deletion))).toEqual(CHANGED);
  expect((await ask("/v1/models")).json.data).toHaveLength(1);
  const fresh = (await ask("/v1/workspace")).headers.get("ETag") ?? "";
  const anew = await ask("/v1/workspace", { ...deletion, headers: { "If-Match": fresh } });
  expect(anew.status).toBe(204);
});

it("a change makes another ETag", async () => {
  const changes: [path: string, action: string, init: CallInit][] = [
    [await make("/v1/uploads"), "/parts/1", { method: "PUT", body: "some bytes" }],
    [await make("/v1/keys"), "/rotate", { method: "POST" }],
  ];
  for (const [path, action, init] of changes) {
    const etag = (await workspace.call(path)).headers.get("ETag") ?? "";
    expect((await workspace.call(path + action, init)).status).toBe(200);
    const stale = { method: "DELETE", headers: { "If-Match": etag } };
    expect(problemOf(await workspace.call(path, stale))).toEqual(CHANGED);
    expect((await workspace.call(path)).status).toBe(200);
  }
});

it("what is not there is 404, whatever the condition", async () => {
  for (const tags of ["*", '"other"']) {
    const init = { method: "DELETE", headers: { "If-Match": tags } };
    expect(problemOf(await workspace.call("/v1/models/model_none", init))).toEqual([
      404,
      "not_found",
    ]);
  }
});

it("a key that may not read cannot ask for a match, and deletes nothing", async () => {
  const path = await make("/v1/models");
  const { secret } = (await workspace.call("/v1/keys", { json: { name: "w", scopes: ["write"] } }))
    .json;
  const Authorization = `Bearer ${secret}`;
  const conditional = { method: "DELETE", headers: { Authorization, "If-Match": "*" } };
  expect(problemOf(await call(path, conditional))).toEqual([403, "insufficient_scope"]);
  expect((await workspace.call(path)).status).toBe(200);
  expect((await call(path, { method: "DELETE", headers: { Authorization } })).status).toBe(204);
});

it("another workspace's resource is not told apart by a condition", async () => {
  const path = await make("/v1/models");
  const etag = (await workspace.call(path)).headers.get("ETag") ?? "";
  const { call: foreign } = await newWorkspace();
  for (const method of ["GET", "DELETE"]) {
    const answer = await foreign(path, { method, headers: { "If-Match": etag } });
    expect(problemOf(answer)).toEqual([404, "not_found"]);
  }
});
