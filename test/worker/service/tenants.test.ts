import { expect, it } from "vitest";
import { linearFile } from "./models.ts";
import { newWorkspace } from "./service.ts";

it("one workspace cannot see, use or delete anything of another", async () => {
  const owner = await newWorkspace();
  const other = await newWorkspace();
  const file = await linearFile(128, 128);
  const model = (await owner.call("/v1/models", { body: file })).json.id;
  const upload = (await owner.call("/v1/uploads", { json: {} })).json.id;
  const key = (await owner.call("/v1/keys", { json: { name: "x" } })).json.id;
  const job = (
    await owner.call(`/v1/models/${model}/prune`, { json: {}, headers: { Prefer: "wait" } })
  ).json;
  const report = job.result.report_id;
  const calls: [string, string][] = [
    ["GET", `/v1/models/${model}`],
    ["GET", `/v1/models/${model}/content`],
    ["GET", `/v1/models/${model}/files/x`],
    ["GET", `/v1/models/${model}/graph`],
    ["POST", `/v1/models/${model}/quantize`],
    ["POST", `/v1/models/${model}/prune`],
    ["DELETE", `/v1/models/${model}`],
    ["GET", `/v1/uploads/${upload}`],
    ["PUT", `/v1/uploads/${upload}/parts/1`],
    ["POST", `/v1/uploads/${upload}/complete`],
    ["DELETE", `/v1/uploads/${upload}`],
    ["GET", `/v1/jobs/${job.id}`],
    ["GET", `/v1/jobs/${job.id}/events`],
    ["POST", `/v1/jobs/${job.id}/cancel`],
    ["GET", `/v1/reports/${report}`],
    ["DELETE", `/v1/keys/${key}`],
  ];
  for (const [method, path] of calls) {
    const body = method === "POST" || method === "PUT" ? { body: "{}" } : {};
    const answer = await other.call(path, { method, ...body });
    expect([method, path, answer.status, answer.json.code]).toEqual([
      method,
      path,
      404,
      "not_found",
    ]);
  }
  for (const list of ["/v1/models", "/v1/jobs"])
    expect((await other.call(list)).json.data).toEqual([]);
  expect((await other.call("/v1/keys")).json.data).toHaveLength(1);
  expect((await owner.call(`/v1/models/${model}/content`)).bytes).toEqual(file);
  expect((await owner.call(`/v1/reports/${report}`)).status).toBe(200);
});

it("the same content in two workspaces is two objects", async () => {
  const [one, two] = [await newWorkspace(), await newWorkspace()];
  const file = await linearFile();
  const first = await one.call("/v1/models", { body: file });
  const second = await two.call("/v1/models", { body: file });
  expect(first.json.sha256).toBe(second.json.sha256);
  await one.call(`/v1/models/${first.json.id}`, { method: "DELETE" });
  expect((await two.call(`/v1/models/${second.json.id}/content`)).bytes).toEqual(file);
});
