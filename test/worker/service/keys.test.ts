import { afterEach, expect, it, vi } from "vitest";
import { call, env, newWorkspace } from "./service.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** From here on the clock stands; what waits for nothing but time is moved on by `pass`. */
function holdClock(): { pass: (ms: number) => void } {
  vi.useFakeTimers({ toFake: ["Date"] });
  return { pass: (ms) => void vi.setSystemTime(Date.now() + ms) };
}

it("a new key opens the same workspace, its secret is shown once and stored as a hash", async () => {
  const { id, call: ask } = await newWorkspace();
  const made = await ask("/v1/keys", { json: { name: "ci" } });
  expect(made.status).toBe(201);
  expect(made.json).toMatchObject({ object: "key", name: "ci" });
  expect(made.json.secret).toMatch(/^hone_[\w-]{43}$/);
  const listed = await call("/v1/keys", {
    headers: { Authorization: `Bearer ${made.json.secret}` },
  });
  expect(listed.json.data).toHaveLength(2);
  expect(listed.text).not.toContain(made.json.secret);
  const { results } = await env.DB.prepare("SELECT * FROM keys WHERE workspace_id = ?")
    .bind(id)
    .all();
  expect(JSON.stringify(results)).not.toContain(made.json.secret.slice(9));
});

it("a deleted key opens nothing, though it was used a moment ago", async () => {
  const { call: ask } = await newWorkspace();
  const { json: key } = await ask("/v1/keys", { json: { name: "short-lived" } });
  const before = await call("/v1/keys", { headers: { Authorization: `Bearer ${key.secret}` } });
  expect(before.status).toBe(200);
  expect((await ask(`/v1/keys/${key.id}`, { method: "DELETE" })).status).toBe(204);
  const after = await call("/v1/keys", { headers: { Authorization: `Bearer ${key.secret}` } });
  expect(after.status).toBe(401);
  expect((await ask(`/v1/keys/${key.id}`, { method: "DELETE" })).status).toBe(404);
});

it("a key that another isolate deleted opens for KEY_CACHE_MS, and no longer", async () => {
  const { key } = await newWorkspace();
  const { pass } = holdClock();
  const use = async () => {
    const headers = { Authorization: `Bearer ${key}` };
    return (await call("/v1/models", { headers, env: { KEY_CACHE_MS: "300" } })).status;
  };
  expect(await use()).toBe(200);
  await env.DB.prepare("DELETE FROM keys WHERE hint = ?")
    .bind(`${key.slice(0, 9)}…`)
    .run();
  expect(await use()).toBe(200);
  pass(299);
  expect(await use()).toBe(200);
  pass(1);
  expect(await use()).toBe(401);
});

it("a rotated key's old secret is not known beyond its grace", async () => {
  const { key, call: ask } = await newWorkspace();
  const { json } = await ask("/v1/keys");
  const { pass } = holdClock();
  const rotated = await ask(`/v1/keys/${json.data[0].id}/rotate`, { json: { grace_s: 1 } });
  const use = async (secret: string) =>
    (await call("/v1/models", { headers: { Authorization: `Bearer ${secret}` } })).status;
  expect(await use(key)).toBe(200);
  pass(1001);
  expect(await use(key)).toBe(401);
  expect(await use(rotated.json.secret)).toBe(200);
});

it("the last key stays", async () => {
  const { call: ask } = await newWorkspace();
  const { json } = await ask("/v1/keys");
  const answer = await ask(`/v1/keys/${json.data[0].id}`, { method: "DELETE" });
  expect(answer.json).toMatchObject({ status: 409, code: "last_key" });
});

it("a name is needed, and nothing else is taken", async () => {
  const { call: ask } = await newWorkspace();
  const missing = await ask("/v1/keys", { json: {} });
  expect(missing.json).toMatchObject({ status: 400, code: "invalid_request" });
  expect(missing.json.errors[0].path).toBe("name");
  const unknown = await ask("/v1/keys", { json: { name: "x", role: "admin" } });
  expect(unknown.json).toMatchObject({ status: 400, code: "unknown_option" });
  const broken = await ask("/v1/keys", {
    method: "POST",
    body: "{",
    headers: { "Content-Type": "application/json" },
  });
  expect(broken.json).toMatchObject({ status: 400, code: "invalid_json" });
});

it("pages follow one another without gaps", async () => {
  const { call: ask } = await newWorkspace();
  for (let i = 0; i < 4; i++) await ask("/v1/keys", { json: { name: `key ${i}` } });
  const seen: string[] = [];
  let cursor = "";
  for (;;) {
    const { json } = await ask(`/v1/keys?limit=2${cursor && `&cursor=${cursor}`}`);
    seen.push(...json.data.map(({ id }: { id: string }) => id));
    if (!json.has_more) break;
    cursor = json.next_cursor;
  }
  expect(new Set(seen).size).toBe(5);
  expect(seen).toHaveLength(5);
});

it("pages refuse limits and cursors that are none", async () => {
  const { call: ask } = await newWorkspace();
  expect((await ask("/v1/keys?limit=0")).json).toMatchObject({
    status: 400,
    code: "invalid_request",
  });
  expect((await ask("/v1/keys?cursor=nonsense")).json).toMatchObject({
    status: 400,
    code: "invalid_cursor",
  });
  expect((await ask("/v1/keys?limits=1")).json).toMatchObject({
    status: 400,
    code: "unknown_option",
  });
});
