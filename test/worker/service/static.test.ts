/** @file Static quantization over HTTP: where its ranges come from, what its report says, what is refused. */
import { zipSync } from "fflate";
import { expect, it } from "vitest";
import { makeFloat32, makeNode } from "../../../src/graph/build.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { npy } from "./dataset-files.ts";
import { blankFile, fileOf, linear } from "./models.ts";
import { type Answer, newWorkspace, type Workspace } from "./service.ts";

const ROWS = 64;

/** softmax(relu(x·w)·v): names that tell where a range comes from. */
function perceptron(): Model {
  const model = linear(ROWS, 96);
  const { graph } = model;
  const [second] = linear(96, 10, 2).graph.initializers.values();
  if (second) graph.initializers.set("v", { ...second, name: "v" });
  graph.initializers.set(
    "b",
    makeFloat32(
      "b",
      Array.from({ length: 96 }, (_, i) => i / 100),
    ),
  );
  graph.nodes = [
    makeNode("Gemm", ["x", "w", "b"], ["h"], { name: "fc1" }),
    makeNode("Relu", ["h"], ["r"], { name: "relu" }),
    makeNode("MatMul", ["r", "v"], ["l"], { name: "fc2" }),
    makeNode("Softmax", ["l"], ["y"], { name: "softmax" }),
  ];
  graph.outputs = [{ name: "y", type: { kind: "tensor", elementType: 1, shape: ["batch", 10] } }];
  return model;
}

const samples = (rows: number, high: number, width = ROWS) =>
  npy(
    "<f4",
    [rows, width],
    bytesOf(Float32Array.from({ length: rows * width }, (_, i) => ((i * 37) % 101) * (high / 100))),
  );

const bytesOf = (values: Float32Array) => new Uint8Array(values.slice().buffer);

function form(model: Uint8Array, npz: Uint8Array): FormData {
  const parts = new FormData();
  parts.set("model", new Blob([new Uint8Array(model)]), "net.onnx");
  parts.set("samples", new Blob([new Uint8Array(npz)]), "samples.npz");
  return parts;
}

async function reportOf({ call }: Workspace, answer: Answer) {
  expect([answer.status, answer.json]).toEqual([200, undefined]);
  const link = /<(.+)>/.exec(answer.headers.get("Link") ?? "")?.[1] ?? "";
  return (await call(link)).json;
}

// oxlint-disable-next-line typescript/no-explicit-any
const named = (list: any[], name: string) => list.find((each) => each.name === name);

it("without data the ranges come from made-up inputs, and the report says so", async () => {
  const workspace = await newWorkspace();
  const body = await fileOf(perceptron());
  const answer = await workspace.call("/v1/quantize?method=static", { body });
  const report = await reportOf(workspace, answer);
  expect(report.notes[0]).toMatch(/come from made-up inputs \(made up, 2\), not from data/);
  expect(report.verification).toMatchObject({ loaded: true, ran: true });
  expect(report.changed.map(({ name, to }: Record<string, string>) => [name, to])).toEqual([
    ["w", "int8"],
    ["v", "int8"],
    ["b", "int32"],
  ]);
  expect(named(report.activations, "r")).toMatchObject({ type: "int8", zero_point: -128, low: 0 });
  expect(named(report.activations, "h")).toBeUndefined();
  expect(named(report.activations, "y")).toMatchObject({ low: 0, high: 1 });
  expect(answer.bytes.length).toBeLessThan(body.length / 2);
});

it("samples that are sent give the ranges", async () => {
  const workspace = await newWorkspace();
  const npz = zipSync({ "x.npy": samples(40, 5) });
  const body = form(await fileOf(perceptron()), npz);
  const query = "method=static&activation_type=quint8&per_channel=true";
  const report = await reportOf(workspace, await workspace.call(`/v1/quantize?${query}`, { body }));
  expect(report.notes[0]).toMatch(/come from given, 40 \(minmax\)/);
  expect(report.verification.inputs).toBe("given, 16");
  const x = named(report.activations, "x");
  expect(x).toMatchObject({ type: "uint8", low: 0, high: 5, zero_point: 0, shared_with: null });
  expect(x.scale).toBeCloseTo(5 / 255, 6);
  expect(named(report.changed, "w").method).toBe("int8 per channel (axis 1)");
});

it("auto tries it where samples are given and smaller ones fail, and not where none are", async () => {
  const { call } = await newWorkspace();
  const model = await fileOf(perceptron());
  const tried = async (body: FormData | Uint8Array) => {
    const { json } = await call("/v1/quantize?min_sqnr_db=190", { body });
    expect(json.code).toBe("not_close_enough");
    return json.report.tried.map(({ method }: { method: string }) => method);
  };
  expect(await tried(form(model, zipSync({ "x.npy": samples(8, 1) })))).toContain("static");
  expect(await tried(model)).not.toContain("static");
});

it("what does not fit is refused, and says what would", async () => {
  const { call } = await newWorkspace();
  const model = await fileOf(perceptron());
  const cases: [string, number, string, RegExp][] = [
    ["method=static&nodes_to_exclude=fc3", 422, "unknown_name", /no node "fc3"; nearest: "fc1"/],
    ["method=static&weight_type=quint8", 400, "invalid_request", /needs activation_type "quint8"/],
    ["method=static&quant_format=QOperator", 400, "invalid_request", /"QDQ" only/],
    ["method=static&percentile=101", 400, "invalid_request", /percentile/],
    ["method=dynamic&percentile=99", 400, "invalid_request", /method=dynamic does not have/],
    ["method=static&calibration_rows=5", 400, "invalid_request", /needs calibration_dataset/],
    ["method=static&calibration_dataset=dataset_none", 404, "not_found", /no dataset dataset_none/],
    ["method=static&executor=runner", 422, "no_executor", /no runner is connected/],
  ];
  for (const [query, status, code, detail] of cases) {
    const { json } = await call(`/v1/quantize?${query}`, { body: model });
    expect([query, json.status, json.code]).toEqual([query, status, code]);
    expect(json.detail).toMatch(detail);
  }
  const wrong = form(model, zipSync({ "x.npy": samples(4, 1, 5) }));
  expect((await call("/v1/quantize?method=static", { body: wrong })).json).toMatchObject({
    status: 422,
    code: "invalid_samples",
    detail: expect.stringMatching(/"x" has shape \[4, 5\], the input is float32 \[batch, 64\]/),
  });
});

it("a model that the Worker cannot run is refused with the figures, and names the runner", async () => {
  const { call } = await newWorkspace();
  const body = await blankFile(2900);
  const { json } = await call("/v1/quantize?method=static", { body });
  expect(json).toMatchObject({ status: 422, code: "no_executor" });
  expect(json.detail).toMatch(
    new RegExp(
      `it is ${body.length} bytes, the Worker takes at most 32000000, and no runner is connected`,
    ),
  );
});

async function storedModel({ call }: Workspace): Promise<string> {
  const { json } = await call("/v1/models", { body: await fileOf(perceptron()) });
  return json.id;
}

async function storedRows({ call }: Workspace): Promise<string> {
  const pixels = Uint8Array.from({ length: 30 * ROWS }, (_, i) => (i * 7) % 256);
  const body = zipSync({
    "pixels.npy": npy("|u1", [30, ROWS], pixels),
    "label.npy": npy("|u1", [30], new Uint8Array(30)),
  });
  return (await call("/v1/datasets", { body: new Uint8Array(body) })).json.id;
}

const prefer = { Prefer: "wait=60" };

it("a job's ranges come from a stored dataset's rows, scaled as a training's", async () => {
  const workspace = await newWorkspace();
  const [model, dataset] = [await storedModel(workspace), await storedRows(workspace)];
  const json = {
    method: "static",
    calibration_dataset: dataset,
    calibration_inputs: { x: { field: "pixels", scale: 1 / 255 } },
    calibration_rows: 20,
  };
  const path = `/v1/models/${model}/quantize`;
  const job = (await workspace.call(path, { json, headers: prefer })).json;
  expect([job.state, job.error]).toEqual(["succeeded", null]);
  const report = (await workspace.call(`/v1/reports/${job.result.report_id}`)).json;
  expect(report.notes[0]).toContain(`20 rows of ${dataset} (minmax)`);
  expect(named(report.activations, "x")).toMatchObject({ low: 0, high: 1 });
  expect(report.verification).toMatchObject({ ran: true, inputs: "given, 16" });

  const none = { ...json, calibration_dataset: "dataset_none" };
  expect((await workspace.call(path, { json: none })).json.code).toBe("not_found");
  const unfit = { ...json, calibration_inputs: { x: "labels" } };
  const failed = (await workspace.call(path, { json: unfit, headers: prefer })).json;
  expect(failed).toMatchObject({ state: "failed", error: { code: "dataset_mismatch" } });
  expect(failed.error.detail).toMatch(/no field "labels"; nearest: "label"/);
});

it("it is a step of a recipe, whose dataset has to be there", async () => {
  const workspace = await newWorkspace();
  const [model, dataset] = [await storedModel(workspace), await storedRows(workspace)];
  const plan = async (calibration_dataset: string) => {
    const step = { op: "quantize", method: "static", calibration_dataset };
    const path = `/v1/models/${model}/optimize?dry_run=true`;
    return (await workspace.call(path, { json: { steps: [step] } })).json;
  };
  const good = await plan(dataset);
  expect(JSON.stringify(good)).not.toContain('problem":{');
  expect(JSON.stringify(await plan("dataset_none"))).toContain("there is no dataset dataset_none");
});

it("a calibration answers with every value's range", async () => {
  const workspace = await newWorkspace();
  const [model, dataset] = [await storedModel(workspace), await storedRows(workspace)];
  const path = `/v1/models/${model}/calibrate`;
  const inputs = { x: { field: "pixels", scale: 1 / 255 } };
  const json = { dataset, inputs, limit: 10, executor: "edge" };
  const job = (await workspace.call(path, { json, headers: prefer })).json;
  expect(job).toMatchObject({ operation: "calibrate", state: "succeeded", executor: "edge" });
  const { values, ...rest } = job.result;
  expect(rest).toEqual({
    backend: "wasm",
    inputs: `10 rows of ${dataset}`,
    made_up: false,
    runs: 10,
    unusable: {},
  });
  expect(Object.keys(values).toSorted()).toEqual(["h", "l", "r", "x", "y"]);
  expect(values.x).toEqual({ min: 0, max: 1, low: 0, high: 1 });
  expect(values.r.max).toBeCloseTo(values.h.max, 5);
  expect(values.r.min).toBe(0);

  const bare = {
    op_types_to_quantize: ["Softmax"],
    calibrate_method: "percentile",
    percentile: 99,
  };
  const made = (await workspace.call(path, { json: bare, headers: prefer })).json;
  expect(made.result).toMatchObject({ made_up: true, inputs: "made up, 2" });
  expect(Object.keys(made.result.values).toSorted()).toEqual(["l", "y"]);

  const unknown = await workspace.call(path, { json: { op_types_to_quantize: ["Softmux"] } });
  expect(unknown.json).toMatchObject({ status: 422, code: "unknown_name" });
  const rows = await workspace.call(path, { json: { dataset, inputs: { z: "pixels" } } });
  expect(rows.json).toMatchObject({ status: 422, code: "dataset_mismatch" });
});
