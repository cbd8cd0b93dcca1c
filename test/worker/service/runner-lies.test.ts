/** @file What a runner says that is not so, or does not say: refused, logged, given to another, never in a result. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
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

async function log({ call }: Pool): Promise<string[]> {
  const { data } = (await call("/v1/runners/log?limit=100")).json;
  return data.map(({ what }: { what: string }) => what);
}

async function logged(pool: Pool, what: RegExp): Promise<void> {
  await eventually(async () => expect((await log(pool)).join("\n")).toMatch(what));
}

/** A runner with a task, and that task's order. */
async function working(pool: Pool, session = "session-liar") {
  const liar = await Runner.join(pool.secret, session);
  const order = benchmark();
  await pool.pool.submit(order);
  const { task } = await liar.hears("task");
  return { liar, order, task };
}

/** Another runner gets the task anew and its result counts. */
async function finishedByAnother(pool: Pool, id: string): Promise<void> {
  const heir = await Runner.join(pool.secret, "session-heir");
  const { task } = await heir.hears("task");
  expect(task).toMatchObject({ id, lease: 2 });
  heir.say({ type: "done", task: id, lease: 2, result: { ...RESULT, device: "the heir's" } });
  expect(await pool.pool.wait(id, 60_000)).toMatchObject({
    state: "done",
    tries: 2,
    result: { device: "the heir's" },
  });
}

it.each([
  ["no JSON", "{", /not JSON/],
  ["nothing that the protocol has", JSON.stringify({ type: "hurrah" }), /refused/],
  ["more than a message may have", "x".repeat(70_000), /at most 65536/],
])("%s ends the line, and the task goes to another", async (_name, said, reason) => {
  const pool = await newPool();
  const { liar, order } = await working(pool);
  liar.say(said);
  expect(await liar.isClosed(4402)).not.toBe("");
  await logged(pool, reason);
  await finishedByAnother(pool, order.id);
});

it("a number that is infinite is refused, and the task goes on", async () => {
  const pool = await newPool();
  const { liar, order, task } = await working(pool);
  const result = JSON.stringify({
    type: "done",
    task: order.id,
    lease: task.lease,
    result: RESULT,
  });
  liar.say(result.replace(/"median_ms":\d+/, '"median_ms":1e999'));
  await logged(pool, /refused: .*median_ms/);
  liar.leave();
  await eventually(async () => expect(await log(pool)).toContain("left"));
});

it("a result for another's task, or for one that is not there, changes nothing", async () => {
  const pool = await newPool();
  const { order } = await working(pool, "session-honest");
  const liar = await Runner.join(pool.secret, "session-liar");
  for (const task of [order.id, "task_nobody_ordered"]) {
    liar.say({ type: "done", task, lease: 1, result: RESULT });
    liar.say({ type: "failed", task, lease: 1, message: "no", final: true });
    liar.say({ type: "hand_back", task, lease: 1 });
  }
  await eventually(async () =>
    expect((await log(pool)).filter((what) => what.startsWith("spoke of lease 1"))).toHaveLength(6),
  );
  expect(await pool.pool.progress(order.id)).toMatchObject({ state: "leased", tries: 0 });
});

it("a result that is said again counts once", async () => {
  const pool = await newPool();
  const { liar, order, task } = await working(pool);
  const done = { type: "done", task: order.id, lease: task.lease, result: RESULT } as const;
  liar.say(done);
  liar.say({ ...done, result: { ...RESULT, device: "second thoughts" } });
  await logged(pool, /spoke of lease 1, which it does not hold/);
  expect(await pool.pool.wait(order.id, 60_000)).toMatchObject({ result: { device: "here" } });
  expect((await pool.call("/v1/runners")).json.data).toMatchObject([{ tasks_done: 1, info: INFO }]);
});

it("a runner that falls silent loses its line and, if it does not come back, its task", async () => {
  const pool = await newPool();
  const { liar, order } = await working(pool);
  const age = async () =>
    await runInDurableObject(objectOf(pool), (_pool, state) => {
      // No ping came since: it has been silent for a minute.
      for (const socket of state.getWebSockets()) {
        const line = socket.deserializeAttachment();
        socket.serializeAttachment({ ...line, connectedAt: line.connectedAt - 60_000 });
      }
      for (const { id, row } of state.storage.sql.exec<{ id: string; row: string }>(
        "SELECT id, row FROM runners",
      )) {
        const runner = JSON.parse(row);
        const older = JSON.stringify({ ...runner, seenAt: runner.seenAt - 60_000 });
        state.storage.sql.exec("UPDATE runners SET row = ? WHERE id = ?", older, id);
      }
    });
  await age();
  await runDurableObjectAlarm(objectOf(pool));
  expect(await liar.isClosed(4408)).toBe("no ping for too long");
  await age();
  await runDurableObjectAlarm(objectOf(pool));
  await logged(pool, /taken back: the runner did not come back/);
  await finishedByAnother(pool, order.id);
});
