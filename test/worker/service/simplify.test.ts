import { expect, it } from "vitest";
import { makeNode } from "../../../src/graph/build.ts";
import { fileOf, linear, linearFile, untidyFile } from "./models.ts";
import { newWorkspace } from "./service.ts";

const reportAt = (headers: Headers) => /<(.+)>/.exec(headers.get("Link") ?? "")?.[1] ?? "";

it("model in, a model of fewer nodes out, with what each pass did", async () => {
  const { call } = await newWorkspace();
  const file = await untidyFile();
  const answer = await call("/v1/simplify", { body: file });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("Content-Disposition")).toContain('"model.simplified.onnx"');
  expect(answer.bytes.length).toBeLessThan(file.length);
  expect(JSON.parse(answer.headers.get("Hone-Report") ?? "")).toMatchObject({
    operation: "simplify",
    nodes_before: 5,
    nodes_after: 2,
    verified: true,
  });
  const { json } = await call(reportAt(answer.headers));
  expect(json.simplification.op_types).toContainEqual({ op_type: "Identity", before: 2, after: 0 });
  expect(json.simplification.passes).toContainEqual({ name: "merge_initializers", changes: 1 });
  expect(json.verification).toMatchObject({ loaded: true, ran: true });
});

/** y = x·exp(w). */
async function constantFile() {
  const model = linear();
  model.graph.nodes = [makeNode("Exp", ["w"], ["e"]), makeNode("MatMul", ["x", "e"], ["y"])];
  return await fileOf(model);
}

it("constants are computed by ONNX Runtime in the Worker", async () => {
  const { call } = await newWorkspace();
  const answer = await call("/v1/simplify", { body: await constantFile() });
  expect(JSON.parse(answer.headers.get("Hone-Report") ?? "")).toMatchObject({ nodes_after: 1 });
});

it("a model with nothing to simplify comes back, and the report says so", async () => {
  const { call } = await newWorkspace();
  const file = await linearFile();
  const answer = await call("/v1/simplify", { body: file });
  expect(answer.status).toBe(200);
  expect(answer.bytes).toEqual(file);
  const { json } = await call(reportAt(answer.headers));
  expect(json.notes.join()).toMatch(/nothing to do.*no node is gone.*no byte is saved/);
});

it("other operations have no simplification in their report", async () => {
  const { call } = await newWorkspace();
  const answer = await call("/v1/prune", { body: await linearFile() });
  expect((await call(reportAt(answer.headers))).json.simplification).toBeNull();
});

it("options that do not exist or do not fit are refused with a list", async () => {
  const { call } = await newWorkspace();
  const body = new Uint8Array(10);
  const cases: [string, string, string, RegExp][] = [
    ["passes=fold_shape", "invalid_request", "passes[0]", /fold_shapes/],
    ["pass=fold_shapes", "unknown_option", "pass", /nearest: "passes"/],
    ["fold_constants_limit=-1", "invalid_request", "fold_constants_limit", /0/],
    ['input_shapes={"x":[0]}', "invalid_request", "input_shapes.x[0]", /1/],
    ["input_shapes=x:1", "invalid_request", "input_shapes", /./],
  ];
  for (const [query, code, path, message] of cases) {
    const { json } = await call(`/v1/simplify?${query}`, { body });
    expect([query, json.status, json.code]).toEqual([query, 400, code]);
    expect(json.errors[0].path).toBe(path);
    expect(json.errors[0].message).toMatch(message);
  }
});

it("shapes of inputs that the model does not have, or of another rank, are refused", async () => {
  const { call } = await newWorkspace();
  const body = await untidyFile();
  const named = await call('/v1/simplify?input_shapes={"xx":[1,64]}', { body });
  expect(named.json).toMatchObject({ status: 422, code: "unknown_name" });
  expect(named.json.detail).toContain('nearest: "x"');
  const ranked = await call('/v1/simplify?input_shapes={"x":[1,64,1]}', { body });
  expect(ranked.json).toMatchObject({ status: 400, code: "invalid_request" });
});

it("a result that the bounds refuse is a 422 with the report", async () => {
  const { call } = await newWorkspace();
  const answer = await call("/v1/simplify?min_sqnr_db=1000", { body: await untidyFile() });
  expect(answer.json).toMatchObject({
    status: 422,
    code: "not_close_enough",
    report: { simplification: { nodes_after: 2 } },
  });
});

it("a stored model is simplified by a job", async () => {
  const { call } = await newWorkspace();
  const model = await call("/v1/models?name=net.onnx", { body: await untidyFile() });
  const job = await call(`/v1/models/${model.json.id}/simplify`, {
    headers: { "Content-Type": "application/json", Prefer: "wait=30" },
    body: JSON.stringify({ skip_passes: ["merge_initializers"] }),
  });
  expect(job.json).toMatchObject({
    operation: "simplify",
    state: "succeeded",
    result: { report: { nodes_before: 5, nodes_after: 3 } },
  });
  const made = await call(`/v1/models/${job.json.result.model_id}`);
  expect(made.json.name).toBe("net.simplified.onnx");
});
