/** @file Stored recipes of steps and of goals: versions, what is refused, what a dry run answers, hooks that name one. */
import { zipSync } from "fflate";
import { expect, it } from "vitest";
import { npy } from "./dataset-files.ts";
import { linearFile } from "./models.ts";
import { newWorkspace, type Workspace } from "./service.ts";

const STEPS = [{ op: "prune", amount: 0.5 }];
const goalOn = (dataset: string) => ({ max_drop: 0.1, metric: "mse", dataset });

async function storedModel({ call }: Workspace): Promise<string> {
  return (await call("/v1/models", { body: await linearFile() })).json.id;
}

/** Rows that fit the linear model: its inputs, and zeros for what it answers. */
async function storedRows({ call }: Workspace): Promise<string> {
  const floats = (step: number) =>
    new Uint8Array(Float32Array.from({ length: 8 * 64 }, (_, at) => (at % 13) * step).buffer);
  const body = zipSync({
    "x.npy": npy("<f4", [8, 64], floats(0.1)),
    "label.npy": npy("<f4", [8, 64], floats(0)),
  });
  return (await call("/v1/datasets", { body: new Uint8Array(body) })).json.id;
}

it("a goal is stored under a name as steps are, and their versions may take turns", async () => {
  const { call } = await newWorkspace();
  const goal = goalOn("dataset_later");
  const first = await call("/v1/recipes", { json: { name: "small", steps: STEPS } });
  const second = await call("/v1/recipes", { json: { name: "small", goal, description: "found" } });
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(first.json).toMatchObject({ version: 1, steps: STEPS });
  expect(first.json).not.toHaveProperty("goal");
  expect(second.json).toMatchObject({ version: 2, description: "found", goal });
  expect(second.json.goal).toMatchObject({ minimize: "bytes", max_evaluations: 24, keep: "best" });
  expect(second.json).not.toHaveProperty("steps");
  for (const reference of ["small", "small@2", second.json.id]) {
    expect((await call(`/v1/recipes/${reference}`)).json).toEqual(second.json);
  }
  expect((await call("/v1/recipes?name=small")).json.data).toEqual([second.json, first.json]);
});

it("steps and goal together, neither, and a goal that is none are refused, and say what", async () => {
  const { call } = await newWorkspace();
  const goal = goalOn("dataset_later");
  for (const content of [{}, { steps: STEPS, goal }]) {
    const { status, json } = await call("/v1/recipes", { json: { name: "small", ...content } });
    expect([status, json.code, json.errors]).toEqual([
      400,
      "invalid_request",
      [{ path: "steps", message: "give one of steps and goal" }],
    ]);
  }
  const wrong = await call("/v1/recipes", {
    json: { name: "small", goal: { ...goal, minimise: "bytes" } },
  });
  expect(wrong.json).toMatchObject({ status: 400, errors: [{ path: "goal.minimise" }] });
  expect((await call("/v1/recipes")).json.data).toEqual([]);
});

it("a dry run of a stored goal answers what one of the goal itself does", async () => {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const [model, dataset] = [await storedModel(workspace), await storedRows(workspace)];
  const goal = goalOn(dataset);
  await call("/v1/recipes", { json: { name: "small", goal } });
  const path = `/v1/models/${model}/optimize?dry_run=true`;
  const stored = (await call(path, { json: { recipe: "small" } })).json;
  expect(stored).toMatchObject({ object: "optimization_plan", ok: true, steps: [] });
  expect(stored.search.candidates.length).toBeGreaterThan(2);
  expect(stored).toEqual((await call(path, { json: { goal } })).json);
  await call("/v1/recipes", { json: { name: "small", goal: goalOn("dataset_none") } });
  expect(await call(path, { json: { recipe: "small" } })).toMatchObject({ status: 404 });
  expect((await call(path, { json: { recipe: "small@1" } })).json).toEqual(stored);
});

it("a hook may name a recipe that has a goal", async () => {
  const { call } = await newWorkspace();
  await call("/v1/recipes", { json: { name: "small", goal: goalOn("dataset_later") } });
  const hook = await call("/v1/hooks", { json: { source: "github", recipe: "small" } });
  expect([hook.status, hook.json.recipe]).toEqual([201, "small"]);
});
