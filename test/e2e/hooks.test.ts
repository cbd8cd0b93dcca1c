/** @file Webhooks in, from senders of their own: signed, filtered, done once, a thousand at once; models from a local origin. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { zipSync } from "fflate";
import { afterAll, beforeAll, expect, it } from "vitest";
import { npy } from "../worker/service/dataset-files.ts";
import { linearFile } from "../worker/service/models.ts";
import { github, type HookCaller, hookCaller, signed } from "./hook-caller.ts";
import { newService, type TestService } from "./service.ts";

let service: TestService;
let get: HookCaller["get"];
let post: HookCaller["post"];
let send: HookCaller["send"];
let deliveries: HookCaller["deliveries"];
let settled: HookCaller["settled"];
let origin: Server;
let base: string;
const fetched: string[] = [];

const STEPS = [{ op: "prune", amount: 0.5 }];

beforeAll(async () => {
  const model = await linearFile(32, 32);
  origin = createServer((request, response) => {
    fetched.push(request.url ?? "");
    if (request.url?.startsWith("/api/models/acme/tiny/revision/")) {
      const siblings = ["README.md", "onnx/model.onnx"].map((rfilename) => ({ rfilename }));
      response.end(JSON.stringify({ siblings }));
    } else if (request.url?.includes("model")) response.end(model);
    else if (request.url?.includes("late")) {
      const tries = fetched.filter((url) => url === request.url).length;
      response.writeHead(tries > 1 ? 200 : 503).end(model);
    } else response.end("this is no model");
  });
  origin.listen(0, "127.0.0.1");
  await once(origin, "listening");
  base = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  service = await newService({ allowLoopback: true, vars: { HUGGINGFACE_URL: base } });
  ({ get, post, send, deliveries, settled } = hookCaller(service));
});
afterAll(async () => {
  origin.close();
  await service.end();
});

const standardHook = async (extra = {}) =>
  await post("/v1/hooks", {
    source: "standard",
    model: { url: "{data.url}" },
    steps: STEPS,
    ...extra,
  });

it("a signed delivery fetches the model and carries out the recipe", async () => {
  await post("/v1/recipes", { name: "halve", steps: STEPS });
  const hook = await standardHook({ steps: undefined, recipe: "halve" });
  expect(hook).toMatchObject({
    status: 201,
    object: "hook",
    secret: expect.stringMatching(/^whsec_/),
  });
  expect((await get(`/v1/hooks/${hook.id}`)).secret).toBeUndefined();
  const body = JSON.stringify({ type: "model.published", data: { url: `${base}/model-a.onnx` } });
  const receipt = await send(hook.id, signed(hook.secret, body), body);
  expect(receipt).toMatchObject({ status: 202, decision: "accepted", duplicate: false });
  const [delivery] = await settled(hook.id);
  expect(delivery).toMatchObject({
    id: receipt.deliveries[0],
    event: "model.published",
    state: "done",
    reason: null,
    payload_bytes: body.length,
    model_url: `${base}/model-a.onnx`,
  });
  await expect.poll(async () => (await get(`/v1/jobs/${delivery.job_id}`)).state).toBe("succeeded");
  const job = await get(`/v1/jobs/${delivery.job_id}`);
  expect(job).toMatchObject({ model_id: delivery.model_id, recipe: { name: "halve", version: 1 } });
  expect((await get(`/v1/models/${delivery.model_id}`)).name).toBe("model-a.onnx");
});

it("a recipe that has a goal has a delivery search; the job and the model name the recipe", async () => {
  const floats = (step: number) =>
    new Uint8Array(Float32Array.from({ length: 256 }, (_, at) => (at % 7) * step).buffer);
  const rows = zipSync({
    "x.npy": npy("<f4", [8, 32], floats(0.1)),
    "label.npy": npy("<f4", [8, 32], floats(0)),
  });
  const init = { method: "POST", body: new Uint8Array(rows) };
  const dataset: { id: string } = await (await service.call("/v1/datasets", init)).json();
  const goal = { max_drop: 10, metric: "mse", dataset: dataset.id, max_evaluations: 2 };
  const recipe = await post("/v1/recipes", { name: "search", goal: { ...goal, executor: "edge" } });
  const hook = await standardHook({ steps: undefined, recipe: "search" });
  const receipt = await post(`/v1/hooks/${hook.id}/test`, {
    payload: { data: { url: `${base}/model-searched.onnx` } },
  });
  expect(receipt).toMatchObject({ status: 202, decision: "accepted" });
  const [delivery] = await settled(hook.id);
  expect(delivery).toMatchObject({ state: "done", reason: null });
  const path = `/v1/jobs/${delivery.job_id}`;
  await expect.poll(async () => (await get(path)).state).toBe("succeeded");
  const job = await get(path);
  const named = { id: recipe.id, name: "search", version: 1 };
  expect(job).toMatchObject({ model_id: delivery.model_id, recipe: named, options: { goal } });
  expect(job.result.search).toMatchObject({ best: 1, evaluations: 2, metric: "mse" });
  const { lineage } = await get(`/v1/models/${job.result.model_id}`);
  expect(lineage).toMatchObject({ parent: delivery.model_id, recipe: named });
});

it("what is not signed by the secret, or at another time, is refused and leaves nothing", async () => {
  const hook = await standardHook();
  const body = JSON.stringify({ data: { url: `${base}/model.onnx` } });
  const other = `whsec_${Buffer.from("another secret of 24 byte").toString("base64")}`;
  const skewed = (minutes: number) => new Date(Date.now() + minutes * 60_000);
  const refused = [
    {},
    signed(other, body),
    signed(hook.secret, `${body} `),
    { ...signed(hook.secret, body), "webhook-id": "another" },
    signed(hook.secret, body, "early", skewed(6)),
    signed(hook.secret, body, "late", skewed(-6)),
  ];
  for (const headers of refused) {
    const answer = await send(hook.id, headers as Record<string, string>, body);
    expect(answer).toMatchObject({ status: 401, code: "invalid_signature" });
  }
  for (const minutes of [4, -4]) {
    const answer = await send(
      hook.id,
      signed(hook.secret, body, `${minutes}`, skewed(minutes)),
      body,
    );
    expect(answer.status).toBe(202);
  }
  expect((await settled(hook.id)).length).toBe(2);
  expect((await send("hook_none", {}, body)).status).toBe(404);
});

it("ten megabytes are refused as too large, and kept nowhere", async () => {
  const hook = await standardHook();
  const body = JSON.stringify({ data: "x".repeat(10 << 20) });
  const answer = await send(hook.id, signed(hook.secret, body), body);
  expect(answer).toMatchObject({ status: 413, code: "body_too_large" });
  const text = "no JSON";
  expect(await send(hook.id, signed(hook.secret, text), text)).toMatchObject({ status: 400 });
  expect(await deliveries(hook.id)).toEqual([]);
});

it("a delivery that is replayed is answered alike and done once", async () => {
  const hook = await standardHook();
  const body = JSON.stringify({ data: { url: `${base}/model-once.onnx` } });
  const headers = signed(hook.secret, body);
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(hook.id, headers, body)));
  expect(answers.filter(({ duplicate }) => !duplicate).length).toBe(1);
  expect(new Set(answers.map((each) => each.deliveries[0])).size).toBe(1);
  expect((await settled(hook.id)).length).toBe(1);
  expect(fetched.filter((url) => url === "/model-once.onnx").length).toBe(1);
});

it("a thousand triggers at once: none is lost, none done twice", async () => {
  const hook = await standardHook();
  const sendOne = async (index: number) => {
    const body = JSON.stringify({ data: { url: `${base}/thousand/${index}` } });
    return (await send(hook.id, signed(hook.secret, body), body)).status;
  };
  const statuses = await Promise.all(Array.from({ length: 1000 }, (_, index) => sendOne(index)));
  expect(statuses.every((status) => status === 202)).toBe(true);
  await expect
    .poll(() => fetched.filter((url) => url.startsWith("/thousand/")).length)
    .toBeGreaterThanOrEqual(1000);
  await settled(hook.id);
  const urls = fetched.filter((url) => url.startsWith("/thousand/"));
  expect([urls.length, new Set(urls).size]).toEqual([1000, 1000]);
  const [last] = await deliveries(hook.id);
  expect(last).toMatchObject({ state: "failed", reason: expect.stringMatching(/^not_onnx/) });
});

it("an address that does not answer is asked again; a private one never", async () => {
  const hook = await standardHook();
  const urls = [`${base}/late.onnx`, "http://169.254.169.254/latest", "file:///etc/passwd"];
  for (const url of urls) {
    const body = JSON.stringify({ data: { url } });
    expect((await send(hook.id, signed(hook.secret, body), body)).status).toBe(202);
  }
  const rows = await settled(hook.id);
  const of = (url: string) => rows.find(({ model_url }) => model_url === url);
  expect(of(urls[0] ?? "")).toMatchObject({ state: "done", attempts: 2 });
  expect(of(urls[1] ?? "").reason).toMatch(/^url_not_allowed/);
  expect(of(urls[2] ?? "").reason).toMatch(/^url_not_allowed/);
});

it("a GitHub release gives one job for each file that fits; other events are ignored", async () => {
  const hook = await post("/v1/hooks", {
    source: "github",
    filter: { repository: "acme/*", tag: "v*" },
    steps: STEPS,
  });
  const release = (full_name: string, tag_name: string) =>
    JSON.stringify({
      action: "published",
      repository: { full_name },
      release: {
        tag_name,
        assets: ["a.model.onnx", "b.model.onnx", "notes.txt"].map((name) => ({
          name,
          browser_download_url: `${base}/${tag_name}/${name}`,
        })),
      },
    });
  const body = release("acme/vision", "v1.2.0");
  const receipt = await send(hook.id, github(hook.secret, "release", body), body);
  expect(receipt).toMatchObject({ status: 202, decision: "accepted" });
  expect(receipt.deliveries.length).toBe(2);
  // Under another delivery id, which GitHub does not sign.
  const replay = await send(hook.id, github(hook.secret, "release", body), body);
  expect(replay).toMatchObject({ duplicate: true, deliveries: receipt.deliveries });
  for (const [event, other, reason] of [
    ["ping", "{}", /no release and no push/],
    ["push", "{ }", /filter of path/],
    ["release", release("other/vision", "v1"), /repository other\/vision does not match/],
    ["release", release("acme/vision", "nightly"), /tag nightly does not match/],
    ["release", body.replace("published", "deleted"), /was deleted/],
  ] as const) {
    const answer = await send(hook.id, github(hook.secret, event, other), other);
    expect(answer).toMatchObject({ decision: "ignored", reason: expect.stringMatching(reason) });
  }
  const wrong = await send(hook.id, github("of somebody else", "release", body), body);
  expect(wrong.status).toBe(401);
  const done = (await settled(hook.id)).filter(({ state }) => state === "done");
  const urls = done.map(({ model_url }): string => model_url).sort((a, b) => a.localeCompare(b));
  expect(urls).toEqual([`${base}/v1.2.0/a.model.onnx`, `${base}/v1.2.0/b.model.onnx`]);
});

it("a GitHub push is listened to for changed files that fit the path", async () => {
  const hook = await post("/v1/hooks", {
    source: "github",
    filter: { path: "models/**/*.onnx" },
    steps: STEPS,
  });
  const payload = {
    ref: "refs/heads/main",
    after: "0".repeat(40),
    repository: { full_name: "acme/vision" },
    commits: [{ added: ["models/a b.onnx", "README.md"], modified: ["models/deep/er/c.onnx"] }],
  };
  const answer = await post(`/v1/hooks/${hook.id}/test`, { event: "push", payload, dry_run: true });
  expect(answer).toMatchObject({ status: 200, decision: "accepted" });
  payload.commits = [{ added: ["README.md"], modified: [] }];
  const other = await post(`/v1/hooks/${hook.id}/test`, { event: "push", payload, dry_run: true });
  expect(other).toMatchObject({ decision: "ignored" });
  expect(await deliveries(hook.id)).toEqual([]);
});

it("Hugging Face: the file of the revision, by name or by a glob that fits one", async () => {
  const payload = {
    event: { action: "update", scope: "repo.content" },
    repo: { type: "model", name: "acme/tiny", headSha: "a".repeat(40) },
    updatedRefs: [{ ref: "refs/heads/main", newSha: "b".repeat(40) }],
  };
  const body = JSON.stringify(payload);
  for (const path of [undefined, "**/*.onnx"]) {
    const hook = await post("/v1/hooks", { source: "huggingface", model: { path }, steps: STEPS });
    expect((await send(hook.id, { "X-Webhook-Secret": "a guess" }, body)).status).toBe(401);
    const receipt = await send(hook.id, { "X-Webhook-Secret": hook.secret }, body);
    expect(receipt).toMatchObject({ status: 202, decision: "accepted" });
    expect((await settled(hook.id))[0]).toMatchObject({ state: "done", reason: null });
    expect(fetched).toContain(`/acme/tiny/resolve/${"b".repeat(40)}/onnx/model.onnx`);
  }
});

it("the test button does what a delivery would, each time anew; a deleted hook answers 404", async () => {
  const hook = await standardHook();
  const payload = { data: { url: `${base}/model-test.onnx` } };
  for (let time = 0; time < 2; time++) {
    const receipt = await post(`/v1/hooks/${hook.id}/test`, { payload });
    expect(receipt).toMatchObject({ status: 202, duplicate: false });
  }
  expect((await settled(hook.id)).map(({ state }) => state)).toEqual(["done", "done"]);
  expect(await post(`/v1/hooks/${hook.id}/test`, { payload: {} })).toMatchObject({
    decision: "ignored",
    reason: "the payload has no text at data.url",
  });
  expect((await service.call(`/v1/hooks/${hook.id}`, { method: "DELETE" })).status).toBe(204);
  const body = JSON.stringify(payload);
  expect((await send(hook.id, signed(hook.secret, body), body)).status).toBe(404);
});

it("hooks that could never work are refused", async () => {
  for (const [body, path] of [
    [{ source: "standard", steps: STEPS }, "model.url"],
    [{ source: "standard", model: { url: "{url}" } }, "recipe"],
    [{ source: "github", steps: [{ op: "quantize", bitz: 4 }] }, "steps[0].bitz"],
    [
      { source: "standard", model: { url: "{url}" }, steps: STEPS, secret: "!".repeat(20) },
      "secret",
    ],
  ] as const) {
    const answer = await post("/v1/hooks", body);
    expect([answer.status, answer.errors?.[0]?.path]).toEqual([400, path]);
  }
  const unknown = await post("/v1/hooks", { source: "github", recipe: "no-such" });
  expect(unknown.status).toBe(404);
});
