import { expect, it } from "vitest";
import { call, env, newWorkspace } from "./service.ts";

type Made = { id: string; secret: string };
type Ask = Awaited<ReturnType<typeof newWorkspace>>["call"];

const make = async (ask: Ask, json: object): Promise<Made> =>
  (await ask("/v1/keys", { json: { name: "k", ...json } })).json;
const as = (secret: string) => ({ headers: { Authorization: `Bearer ${secret}` } });
/** Where a test changes the key's row behind the service's back. */
const unremembered = (secret: string) => ({ ...as(secret), env: { KEY_CACHE_MS: "0" } });

it("a key does what its scopes name, and is refused the rest by name", async () => {
  const { call: ask } = await newWorkspace();
  const calls: [string, string, string][] = [
    ["GET", "/v1/models", "read"],
    ["HEAD", "/v1/models", "read"],
    ["GET", "/v1/usage", "read"],
    ["POST", "/v1/uploads", "write"],
    ["DELETE", "/v1/models/model_none", "write"],
    ["PUT", "/v1/uploads/upload_none/parts/1", "write"],
    ["GET", "/v1/keys", "admin"],
    ["POST", "/v1/keys", "admin"],
    ["GET", "/v1/webhook-endpoints", "admin"],
    ["GET", "/v1/audit-log", "admin"],
    ["GET", "/v1/workspace", "admin"],
    ["DELETE", "/v1/workspace", "admin"],
  ];
  for (const scope of ["read", "write", "admin"]) {
    const { secret } = await make(ask, { scopes: [scope] });
    for (const [method, path, needed] of calls) {
      const body = method === "GET" || method === "HEAD" ? {} : { body: "{}" };
      const answer = await call(path, { method, ...body, ...as(secret) });
      expect([scope, method, path, answer.status === 403]).toEqual([
        scope,
        method,
        path,
        needed !== scope,
      ]);
      if (needed === scope || method === "HEAD") continue;
      expect(answer.json).toMatchObject({ code: "insufficient_scope" });
      expect(answer.json.detail).toContain(`scope "${needed}"`);
      expect(answer.headers.get("WWW-Authenticate")).toContain(`scope="${needed}"`);
    }
  }
});

it("a key that names no scopes has all, in their order; unknown and empty ones are refused", async () => {
  const { call: ask } = await newWorkspace();
  const made = await ask("/v1/keys", { json: { name: "all" } });
  expect(made.json).toMatchObject({ scopes: ["read", "write", "admin"], expires_at: null });
  const turned = await ask("/v1/keys", { json: { name: "k", scopes: ["write", "read"] } });
  expect(turned.json.scopes).toEqual(["read", "write"]);
  for (const scopes of [[], ["root"], "read"]) {
    const refused = await ask("/v1/keys", { json: { name: "k", scopes } });
    expect([scopes, refused.status]).toEqual([scopes, 400]);
  }
});

it("an expired key opens nothing and is told so", async () => {
  const { call: ask } = await newWorkspace();
  const { id, secret } = await make(ask, { expires_in_s: 3600 });
  expect((await call("/v1/models", unremembered(secret))).status).toBe(200);
  await env.DB.prepare("UPDATE keys SET expires_at = ? WHERE id = ?")
    .bind(Date.now() - 1, id)
    .run();
  const answer = await call("/v1/models", unremembered(secret));
  expect(answer.json).toMatchObject({ status: 401, code: "unauthorized" });
  expect(answer.json.detail).toContain("expired");
  expect(answer.headers.get("WWW-Authenticate")).toContain('error="invalid_token"');
});

it("rotation gives a new secret; the old one works within the grace only", async () => {
  const { call: ask } = await newWorkspace();
  const { id, secret } = await make(ask, {});
  const rotated = await ask(`/v1/keys/${id}/rotate`, { json: { grace_s: 60 } });
  expect(rotated.status).toBe(200);
  expect(rotated.json.id).toBe(id);
  expect(rotated.json.hint).toBe(`${rotated.json.secret.slice(0, 9)}…`);
  expect((await call("/v1/models", unremembered(secret))).status).toBe(200);
  expect((await call("/v1/models", as(rotated.json.secret))).status).toBe(200);
  await env.DB.prepare("UPDATE keys SET previous_until = ? WHERE id = ?")
    .bind(Date.now() - 1, id)
    .run();
  expect((await call("/v1/models", unremembered(secret))).status).toBe(401);
  expect((await call("/v1/models", as(rotated.json.secret))).status).toBe(200);
});

it("without a body the grace is a day; with 0 the old secret ends at once", async () => {
  const { call: ask } = await newWorkspace();
  const { id, secret } = await make(ask, {});
  const before = Date.now();
  const first = await ask(`/v1/keys/${id}/rotate`, { method: "POST" });
  expect(first.status).toBe(200);
  const row = await env.DB.prepare("SELECT previous_until FROM keys WHERE id = ?")
    .bind(id)
    .first<{ previous_until: number }>();
  expect(row?.previous_until).toBeGreaterThanOrEqual(before + 86_400_000);
  const second = await ask(`/v1/keys/${id}/rotate`, { json: { grace_s: 0 } });
  for (const old of [secret, first.json.secret])
    expect((await call("/v1/models", as(old))).status).toBe(401);
  expect((await call("/v1/models", as(second.json.secret))).status).toBe(200);
});

it("rotation refuses unknown keys, other workspaces' and what is no grace", async () => {
  const { call: ask } = await newWorkspace();
  const other = await newWorkspace();
  const { id } = await make(ask, {});
  expect((await ask("/v1/keys/key_none/rotate", { json: {} })).status).toBe(404);
  expect((await other.call(`/v1/keys/${id}/rotate`, { json: {} })).status).toBe(404);
  expect((await ask(`/v1/keys/${id}/rotate`, { json: { grace_s: -1 } })).status).toBe(400);
});

it("the last use is written, at most once a minute", async () => {
  const { call: ask } = await newWorkspace();
  const { id, secret } = await make(ask, {});
  expect((await ask(`/v1/keys/${id}`)).json.last_used_at).toBeNull();
  await call("/v1/models", unremembered(secret));
  const stamp = () =>
    env.DB.prepare("SELECT last_used_at FROM keys WHERE id = ?")
      .bind(id)
      .first<{ last_used_at: number }>();
  const first = await stamp();
  expect(Date.now() - (first?.last_used_at ?? 0)).toBeLessThan(30_000);
  await call("/v1/models", unremembered(secret));
  expect(await stamp()).toEqual(first);
  await env.DB.prepare("UPDATE keys SET last_used_at = ? WHERE id = ?")
    .bind(Date.now() - 61_000, id)
    .run();
  await call("/v1/models", unremembered(secret));
  expect(Date.now() - ((await stamp())?.last_used_at ?? 0)).toBeLessThan(30_000);
});

it("one key is told without its secret; an unknown one is 404", async () => {
  const { call: ask } = await newWorkspace();
  const { id } = await make(ask, { scopes: ["read"] });
  const read = await ask(`/v1/keys/${id}`);
  expect(read.json).toMatchObject({ id, object: "key", scopes: ["read"] });
  expect(read.json.secret).toBeUndefined();
  expect((await ask("/v1/keys/key_none")).status).toBe(404);
});

it("the last key that can make keys for good stays, whatever others there are", async () => {
  const { call: ask } = await newWorkspace();
  const first = (await ask("/v1/keys")).json.data[0].id;
  await make(ask, { scopes: ["read"] });
  await make(ask, { expires_in_s: 60 });
  const refused = await ask(`/v1/keys/${first}`, { method: "DELETE" });
  expect(refused.json).toMatchObject({ status: 409, code: "last_key" });
  await make(ask, {});
  expect((await ask(`/v1/keys/${first}`, { method: "DELETE" })).status).toBe(204);
});
