import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { inTurn } from "../../../src/jobs/turns.ts";
import { linearFile } from "./models.ts";
import { env, newWorkspace, storedObjects, type Workspace } from "./service.ts";

const stubOf = (job: string) => env.JOBS.get(env.JOBS.idFromName(job));

/** Takes both turns, so that a job begins its work and gets no further until `letGo`. */
async function holdTurns(): Promise<{ letGo: () => void }> {
  const gate = Promise.withResolvers<void>();
  let taken = 0;
  const held = [1, 2].map(() =>
    inTurn(async () => {
      taken++;
      await gate.promise;
    }),
  );
  await until(() => taken, 2);
  void Promise.all(held);
  return { letGo: gate.resolve };
}

async function startJob({ call }: Workspace): Promise<string> {
  const { json: model } = await call("/v1/models", { body: await linearFile(128, 128) });
  const { json: job } = await call(`/v1/models/${model.id}/quantize`, {
    json: { method: "weight_only" },
  });
  return job.id;
}

/** Polls long enough for the platform's own retries. */
const until = async (what: () => unknown, expected: unknown) =>
  await expect.poll(what, { interval: 20 }).toEqual(expected);

const stateOf = async ({ call }: Workspace, job: string) => (await call(`/v1/jobs/${job}`)).json;

/** Resets the object, as a crash does. */
async function crash(job: string): Promise<void> {
  await runInDurableObject(stubOf(job), (_, state) => state.abort("crash")).catch(() => undefined);
}

/** Calls the alarm now, not after the platform's pause between retries. */
function hurry(job: string): void {
  void runDurableObjectAlarm(stubOf(job)).catch(() => undefined);
}

it("a crash in mid-job ends in the same bytes", async () => {
  const workspace = await newWorkspace();
  const turns = await holdTurns();
  const job = await startJob(workspace);
  await until(async () => (await stateOf(workspace, job)).state, "running");
  await crash(job);
  turns.letGo();
  await until(async () => (await stateOf(workspace, job)).state, "succeeded");
  const done = await stateOf(workspace, job);
  expect(done.attempts).toBe(2);
  const bytes = (await workspace.call(`/v1/models/${done.result.model_id}/content`)).bytes;
  const undisturbed = await workspace.call("/v1/quantize?method=weight_only", {
    body: await linearFile(128, 128),
  });
  // What follows is how it was made.
  expect(bytes.slice(0, undisturbed.bytes.length)).toEqual(undisturbed.bytes);
  expect(await storedObjects(workspace.id)).toHaveLength(2);
});

it("a job that was cut off three times fails and says so", async () => {
  const workspace = await newWorkspace();
  const turns = await holdTurns();
  const job = await startJob(workspace);
  await until(async () => (await stateOf(workspace, job)).attempts, 1);
  await runInDurableObject(stubOf(job), (_, state) => {
    state.storage.sql.exec("UPDATE job SET view = json_set(view, '$.attempts', 3)");
  });
  await crash(job);
  await until(async () => (await stateOf(workspace, job)).state, "failed");
  turns.letGo();
  expect((await stateOf(workspace, job)).error).toMatchObject({ code: "gave_up", status: 500 });
});

it("a job whose result was stored before the crash does not make a second one", async () => {
  const workspace = await newWorkspace();
  const job = await startJob(workspace);
  await until(async () => (await stateOf(workspace, job)).state, "succeeded");
  const done = await stateOf(workspace, job);
  await runInDurableObject(stubOf(job), async (_, state) => {
    const running = JSON.stringify({ ...done, state: "running", result: null });
    state.storage.sql.exec("UPDATE job SET view = ?", running);
    await state.storage.setAlarm(Date.now());
  });
  await runDurableObjectAlarm(stubOf(job));
  await until(async () => (await stateOf(workspace, job)).state, "succeeded");
  expect((await stateOf(workspace, job)).result).toEqual(done.result);
  expect((await workspace.call("/v1/models")).json.data).toHaveLength(2);
});

it("a job canceled in mid-run leaves no model and no bytes", async () => {
  const workspace = await newWorkspace();
  const turns = await holdTurns();
  const job = await startJob(workspace);
  await until(async () => (await stateOf(workspace, job)).state, "running");
  const canceled = await workspace.call(`/v1/jobs/${job}/cancel`, { method: "POST" });
  expect([canceled.status, canceled.json.state]).toEqual([200, "canceled"]);
  expect((await workspace.call(`/v1/jobs/${job}/cancel`, { method: "POST" })).status).toBe(200);
  turns.letGo();
  await runDurableObjectAlarm(stubOf(job)).catch(() => undefined);
  await until(async () => (await stateOf(workspace, job)).state, "canceled");
  expect((await workspace.call("/v1/models")).json.data).toHaveLength(1);
  expect(await storedObjects(workspace.id)).toHaveLength(1);
  expect((await workspace.call("/v1/jobs?state=canceled")).json.data).toHaveLength(1);
});

it("storage that stays broken is tried three times, then the job fails", async () => {
  const workspace = await newWorkspace();
  const turns = await holdTurns();
  const job = await startJob(workspace);
  for (const key of await storedObjects(workspace.id)) await env.BLOBS.delete(key);
  turns.letGo();
  await until(async () => {
    hurry(job);
    return (await stateOf(workspace, job)).state;
  }, "failed");
  expect(await stateOf(workspace, job)).toMatchObject({
    attempts: 3,
    error: { code: "storage_unavailable" },
  });
});

it("a mirror that missed the end is repaired when the job is read", async () => {
  const workspace = await newWorkspace();
  const job = await startJob(workspace);
  await until(async () => (await stateOf(workspace, job)).state, "succeeded");
  await env.DB.prepare("UPDATE jobs SET state = 'running' WHERE id = ?").bind(job).run();
  await evictDurableObject(stubOf(job));
  expect((await stateOf(workspace, job)).state).toBe("succeeded");
  const list = await workspace.call("/v1/jobs?state=succeeded");
  expect(list.json.data).toMatchObject([{ id: job, state: "succeeded" }]);
});

it("a job that was entered and never begun fails when it is read", async () => {
  const workspace = await newWorkspace();
  const { json: model } = await workspace.call("/v1/models", { body: await linearFile() });
  const view = JSON.stringify({
    id: "job_stillborn",
    state: "queued",
    operation: "prune",
    model_id: model.id,
  });
  await env.DB.prepare(
    "INSERT INTO jobs (id, workspace_id, operation, model_id, state, view, created_at) VALUES ('job_stillborn', ?, 'prune', ?, 'queued', ?, ?)",
  )
    .bind(workspace.id, model.id, view, Date.now() - 3_600_000)
    .run();
  expect(await stateOf(workspace, "job_stillborn")).toMatchObject({
    state: "failed",
    error: { code: "internal_error" },
  });
  expect((await workspace.call(`/v1/models/${model.id}`, { method: "DELETE" })).status).toBe(204);
});

it("a job is deleted a month after its end", async () => {
  const workspace = await newWorkspace();
  const job = await startJob(workspace);
  await until(async () => (await stateOf(workspace, job)).state, "succeeded");
  await runInDurableObject(stubOf(job), async (_, state) => {
    state.storage.sql.exec("UPDATE job SET view = json_set(view, '$.finished_at', 1)");
    await state.storage.setAlarm(Date.now() + 60_000);
  });
  await runDurableObjectAlarm(stubOf(job));
  expect((await workspace.call(`/v1/jobs/${job}`)).status).toBe(404);
});
