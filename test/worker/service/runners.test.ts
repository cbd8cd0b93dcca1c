/** @file The pool of runners: tokens, leases, turns, and what becomes of tasks whose runner lies or leaves. */
import {
  env,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { expect, it } from "vitest";
import { PING } from "../../../src/runner/protocol.ts";
import {
  benchmark,
  eventually,
  INFO,
  newPool,
  objectOf,
  type Pool,
  RESULT,
  Runner,
} from "./pool-runner.ts";
import { open } from "./service.ts";

/** Makes the past longer, as far as leases and silence go. */
async function age(pool: Pool, milliseconds: number): Promise<void> {
  await runInDurableObject(objectOf(pool), (_pool, { storage }) => {
    const rows = [...storage.sql.exec<{ id: string; row: string }>("SELECT id, row FROM tasks")];
    for (const { id, row } of rows) {
      const task = JSON.parse(row);
      task.leasedAt -= milliseconds;
      storage.sql.exec("UPDATE tasks SET row = ? WHERE id = ?", JSON.stringify(task), id);
    }
    const runners = [
      ...storage.sql.exec<{ id: string; row: string }>("SELECT id, row FROM runners"),
    ];
    for (const { id, row } of runners) {
      const runner = JSON.parse(row);
      runner.seenAt -= milliseconds;
      storage.sql.exec("UPDATE runners SET row = ? WHERE id = ?", JSON.stringify(runner), id);
    }
  });
}

it("a task goes to a runner and its result comes back; ordered twice, it is done once", async () => {
  const { pool, secret, call } = await newPool();
  const runner = await Runner.join(secret);
  const order = benchmark({ spec: { runs: 3 } });
  await pool.submit(order);
  await pool.submit(order);
  const { task } = await runner.hears("task");
  expect(task).toMatchObject({ id: order.id, kind: "benchmark", lease: 1, spec: { runs: 3 } });
  runner.say({ type: "progress", task: task.id, lease: 1, fraction: 0.5, doing: "running" });
  runner.say({ type: "done", task: task.id, lease: 1, result: RESULT });
  const outcome = await pool.wait(order.id, 60_000);
  expect(outcome).toMatchObject({ state: "done", result: RESULT, tries: 1 });
  expect(runner.heard).toEqual([]);
  const listed = await call("/v1/runners");
  expect(listed.json.data).toMatchObject([{ state: "idle", tasks_done: 1, info: INFO }]);
});

it("tokens are shown once, expire, can be revoked, and open one workspace only", async () => {
  const { call, secret, tokenId } = await newPool();
  const other = await newPool();
  expect((await call("/v1/runner-tokens")).json.data[0]).not.toHaveProperty("secret");
  await expect(Runner.open("hrt_wrong")).rejects.toThrow(/401.*no such runner token/);
  expect((await other.call(`/v1/runner-tokens/${tokenId}`, { method: "DELETE" })).status).toBe(404);
  const runner = await Runner.join(secret);
  expect((await other.call("/v1/runners")).json.data).toEqual([]);
  expect((await call(`/v1/runner-tokens/${tokenId}`, { method: "DELETE" })).status).toBe(204);
  expect(await runner.isClosed(4401)).toBe("the token was revoked");
  await expect(Runner.open(secret)).rejects.toThrow(/401/);
  await env.DB.prepare("UPDATE runner_tokens SET expires_at = 1 WHERE id = ?")
    .bind(other.tokenId)
    .run();
  await expect(Runner.open(other.secret)).rejects.toThrow(/401.*expired/);
  const { secret: valid } = await newPool();
  const plain = await open("/v1/runners/connect", {
    headers: { Authorization: `Bearer ${valid}` },
  });
  expect(plain.status).toBe(426);
});

it("a runner of an expired token may come back, a new one may not come", async () => {
  const { secret, tokenId } = await newPool();
  const runner = await Runner.join(secret);
  await env.DB.prepare("UPDATE runner_tokens SET expires_at = 1 WHERE id = ?").bind(tokenId).run();
  runner.leave(3000);
  await Runner.join(secret);
});

it("a page's token comes as a subprotocol, and is not answered", async () => {
  const { secret } = await newPool();
  const response = await open("/v1/runners/connect", {
    headers: { Upgrade: "websocket", "Sec-WebSocket-Protocol": `hone.runner, token.${secret}` },
  });
  expect(response.status).toBe(101);
  expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("hone.runner");
});

it("an old runner is refused with the reason, and so is one that does not keep to the protocol", async () => {
  const { secret } = await newPool();
  const old = await Runner.open(secret);
  old.say({ type: "hello", version: 0, session: "session-1", info: INFO, working: null });
  expect(await old.isClosed(4400)).toContain("update the runner");
  for (const [said, reason] of [
    ["{", "not JSON"],
    [JSON.stringify({ type: "ready" }), "first message is hello"],
    [JSON.stringify({ type: "hello", version: 1 }), "session"],
    ["x".repeat(70_000), "at most 65536"],
  ] as const) {
    const odd = await Runner.open(secret);
    odd.say(said);
    expect(await odd.isClosed(4402)).toContain(reason);
  }
});

it("a task goes only to a runner that has what it needs", async () => {
  const { pool, secret } = await newPool();
  const small = await Runner.join(secret, "session-small");
  const gpu = { backends: ["webgpu" as const, "wasm" as const], kinds: INFO.kinds };
  const adapter = {
    vendor: "v",
    architecture: "a",
    description: "d",
    features: ["shader-f16"],
    max_buffer_bytes: 1,
  };
  const order = benchmark({ needs: { backends: ["webgpu"], features: ["shader-f16"] } });
  const large = benchmark({ needs: { model_bytes: 2_000_000 } });
  expect(await pool.canServe(order)).toBe(false);
  await pool.submit(order);
  await pool.submit(large);
  const big = await Runner.join(secret, "session-large", {
    ...INFO,
    ...gpu,
    adapter,
    max_model_bytes: 3_000_000,
  });
  expect(await pool.canServe(order)).toBe(true);
  expect((await big.hears("task")).task.id).toBe(order.id);
  big.say({ type: "done", task: order.id, lease: 1, result: RESULT });
  expect((await big.hears("task")).task.id).toBe(large.id);
  expect(small.heard).toEqual([]);
});

it("the highest priority goes first, and groups take turns", async () => {
  const { pool, secret } = await newPool();
  const many = [0, 1, 2].map((n) => benchmark({ id: `many_${n}`, group: "many" }));
  for (const order of many) await pool.submit(order);
  const few = benchmark({ group: "few" });
  await pool.submit(few);
  const urgent = benchmark({ group: "many", priority: 1 });
  await pool.submit(urgent);
  const first = await Runner.join(secret, "session-a");
  expect((await first.hears("task")).task.id).toBe(urgent.id);
  const second = await Runner.join(secret, "session-b");
  expect((await second.hears("task")).task.id).toBe(few.id);
  const third = await Runner.join(secret, "session-c");
  expect((await third.hears("task")).task.id).toBe(many[0]?.id);
});

it("a runner that leaves hands its task to another at once; one whose line breaks may come back to it", async () => {
  const { pool, secret } = await newPool();
  const first = await Runner.join(secret, "session-a");
  const order = benchmark();
  await pool.submit(order);
  await first.hears("task");
  first.leave();
  const second = await Runner.join(secret, "session-b");
  expect((await second.hears("task")).task.lease).toBe(2);
  second.leave(3000);
  const again = await Runner.open(secret);
  const working = { task: order.id, lease: 2 };
  again.say({ type: "hello", version: 1, session: "session-b", info: INFO, working });
  await again.hears("welcome");
  again.say({ type: "done", ...working, result: RESULT });
  expect(await pool.wait(order.id, 60_000)).toMatchObject({ state: "done", tries: 2 });
});

it("a runner that does not come back loses its task; what it says later has no effect", async () => {
  const pool = await newPool();
  const lost = await Runner.join(pool.secret, "session-a");
  const order = benchmark();
  await pool.pool.submit(order);
  await lost.hears("task");
  lost.leave(3000);
  await eventually(async () =>
    expect((await pool.call("/v1/runners")).json.data[0].state).toBe("gone"),
  );
  await age(pool, 60_000);
  await runDurableObjectAlarm(objectOf(pool));
  const other = await Runner.join(pool.secret, "session-b");
  expect((await other.hears("task")).task.lease).toBe(2);
  const back = await Runner.open(pool.secret);
  const stale = { task: order.id, lease: 1 };
  back.say({ type: "hello", version: 1, session: "session-a", info: INFO, working: stale });
  expect((await back.hears("stop")).reason).toBe("the lease is over");
  back.say({ type: "done", ...stale, result: { ...RESULT, device: "stale" } });
  other.say({ type: "done", task: order.id, lease: 2, result: RESULT });
  expect(await pool.pool.wait(order.id, 60_000)).toMatchObject({ state: "done", result: RESULT });
  const log = await pool.call("/v1/runners/log");
  expect(log.json.data.map(({ what }: { what: string }) => what)).toContain(
    "spoke of lease 1, which it does not hold",
  );
});

it("a runner that lies is refused each time, its task goes on, and after three times it is sent away", async () => {
  const { pool, secret, call } = await newPool();
  const liar = await Runner.join(secret, "session-liar");
  const lies = [
    { ...RESULT, result: { ...RESULT.result, median_ms: -1 } },
    { backend: "wasm" },
    { ...RESULT, more: 1 },
  ];
  const orders = [];
  for (const lie of lies) {
    const order = benchmark();
    orders.push(order);
    await pool.submit(order);
    const { task } = await liar.hears("task");
    liar.say({ type: "done", task: task.id, lease: task.lease, result: lie });
    await eventually(async () => {
      const { json } = await call("/v1/runners/log");
      expect(
        json.data.filter(({ what }: { what: string }) => what.startsWith("refused")).length,
      ).toBe(orders.length);
    });
    // Its own task again, unless it was sent away.
    if (orders.length < 3) {
      const again = await liar.hears("task");
      liar.say({
        type: "failed",
        task: again.task.id,
        lease: again.task.lease,
        message: "no",
        final: true,
      });
    }
  }
  expect(await liar.isClosed(4402)).toContain("refused");
  const honest = await Runner.join(secret, "session-honest");
  const { task } = await honest.hears("task");
  honest.say({ type: "done", task: task.id, lease: task.lease, result: RESULT });
  expect(await pool.wait(task.id, 60_000)).toMatchObject({ state: "done", result: RESULT });
});

it("a task that fails three runners is at fault itself; one that says so fails at once", async () => {
  const { pool, secret } = await newPool();
  const runner = await Runner.join(secret);
  const order = benchmark();
  await pool.submit(order);
  for (let lease = 1; lease <= 3; lease++) {
    const { task } = await runner.hears("task");
    expect(task.lease).toBe(lease);
    runner.say({ type: "failed", task: order.id, lease, message: "out of memory", final: false });
    if (lease < 3) runner.say({ type: "ready" });
  }
  expect(await pool.wait(order.id, 60_000)).toEqual({
    state: "failed",
    message: "it was begun 3 times; the last time: out of memory",
    tries: 3,
  });
  const wrong = benchmark();
  await pool.submit(wrong);
  await runner.hears("task");
  runner.say({ type: "failed", task: wrong.id, lease: 1, message: "no such op", final: true });
  expect(await pool.wait(wrong.id, 60_000)).toMatchObject({
    state: "failed",
    message: "no such op",
  });
});

it("a lease ends when its time is over, and when its task is canceled", async () => {
  const pool = await newPool();
  const slow = await Runner.join(pool.secret, "session-slow");
  const order = benchmark({ timeoutMs: 1000 });
  await pool.pool.submit(order);
  await slow.hears("task");
  await scheduler.wait(1100);
  await runDurableObjectAlarm(objectOf(pool));
  expect((await slow.hears("stop")).reason).toContain("1000 ms");
  slow.say({ type: "ready" });
  expect((await slow.hears("task")).task.lease).toBe(2);
  await pool.pool.cancel(order.id);
  expect((await slow.hears("stop")).lease).toBe(2);
  expect(await pool.pool.wait(order.id, 60_000)).toEqual({ state: "canceled" });
});

it("a drained runner finishes and gets nothing more; a task handed back was no try", async () => {
  const { pool, secret, call } = await newPool();
  const runner = await Runner.join(secret);
  const [first, second] = [benchmark(), benchmark()];
  await pool.submit(first);
  await pool.submit(second);
  await runner.hears("task");
  const [{ id }] = (await call("/v1/runners")).json.data;
  expect((await call(`/v1/runners/${id}/drain`, { method: "POST" })).status).toBe(204);
  await runner.hears("drain");
  runner.say({ type: "hand_back", task: first.id, lease: 1 });
  const other = await Runner.join(secret, "session-other");
  const { task } = await other.hears("task");
  expect(task).toMatchObject({ id: first.id, lease: 2 });
  other.say({ type: "done", task: first.id, lease: 2, result: RESULT });
  expect(await pool.wait(first.id, 60_000)).toMatchObject({ tries: 1 });
  expect((await other.hears("task")).task.id).toBe(second.id);
  expect(runner.heard).toEqual([]);
  expect((await call("/v1/runners/runner_none/drain", { method: "POST" })).status).toBe(404);
});

it("sources are read and targets written by signed addresses, each lease to its own object", async () => {
  const { pool, secret, id } = await newPool();
  const bytes = new TextEncoder().encode("0123456789");
  await env.BLOBS.put("blobs/x/source", bytes);
  const source = { key: "blobs/x/source", bytes: 10, sha256: "a".repeat(64) };
  const target = { key: `blobs/${id}/target`, maxBytes: 4 };
  const order = benchmark({ sources: { model: source }, targets: { out: target } });
  const runner = await Runner.join(secret);
  await pool.submit(order);
  const { task } = await runner.hears("task");
  const address = new URL(task.sources["model"]?.url ?? "").pathname;
  expect(await (await open(address, {})).text()).toBe("0123456789");
  const part = await open(address, { headers: { Range: "bytes=2-4" } });
  expect([part.status, await part.text()]).toEqual([206, "234"]);
  const put = new URL(task.targets["out"]?.url ?? "").pathname;
  const length = (count: number) => ({ "Content-Length": String(count) });
  expect((await open(put, { method: "PUT", body: "12345", headers: length(5) })).status).toBe(413);
  expect((await open(put, {})).status).toBe(404);
  expect((await open(address.slice(0, -2), {})).status).toBe(404);
  runner.say({ type: "done", task: task.id, lease: 1, result: RESULT });
  // Nothing was put: refused, and handed out again with an address of its own.
  const again = (await runner.hears("task")).task;
  const second = new URL(again.targets["out"]?.url ?? "").pathname;
  expect(second).not.toBe(put);
  expect((await open(second, { method: "PUT", body: "1234", headers: length(4) })).status).toBe(
    204,
  );
  runner.say({ type: "done", task: task.id, lease: 2, result: RESULT });
  expect(await pool.wait(order.id, 60_000)).toMatchObject({ state: "done", tries: 2 });
  expect(await (await env.BLOBS.get(`${target.key}.2`))?.text()).toBe("1234");
});

it("the pool sleeps and wakes with its runners, tasks and leases", async () => {
  const pool = await newPool();
  const runner = await Runner.join(pool.secret);
  const order = benchmark();
  await evictDurableObject(objectOf(pool));
  await pool.pool.submit(order);
  await runner.hears("task");
  await evictDurableObject(objectOf(pool));
  runner.say(PING);
  runner.say({ type: "done", task: order.id, lease: 1, result: RESULT });
  expect(await pool.pool.wait(order.id, 60_000)).toMatchObject({ state: "done" });
});
