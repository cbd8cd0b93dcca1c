import { beforeAll, describe, expect, it } from "vitest";

import { makeFloat32, makeNode } from "../../../src/graph/build.ts";
import type { Model } from "../../../src/onnx/model.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import type { LossOptions } from "../../../src/train/losses/loss-options.ts";
import { trainingSettings } from "../../../src/train/options.ts";
import { buildStep } from "../../../src/train/step-model.ts";
import { LABEL } from "../../../src/train/step-plan.ts";
import golden from "../../goldens/train/losses.json" with { type: "json" };
import { model, valueInfo } from "../runtime/models.ts";
import { nativeRuntime } from "../runtime/native.ts";
import { floats, relativeError, run, tensor, type TestType, vectorFeeds } from "./stepping.ts";

interface Case {
  name: string;
  options: LossOptions;
  row: number[];
  act: string | null;
  x: number[];
  w: number[];
  rows: number;
  dtype: TestType;
  label_shape: number[];
  label: number[];
  loss: number;
  correct: number | null;
  count: number;
  gradient: number[];
}
const cases = golden.cases as Case[];

/** y = act(x · w); the classes of an image lie on axis 1. */
function product({ row, w, act }: Case): Model {
  const shape = ["N", ...row];
  const nodes = [makeNode("Mul", ["x", "w"], [act ? "z" : "y"], { name: "product" })];
  if (act) nodes.push(makeNode(act, ["z"], ["y"], { name: "act" }));
  const weight = makeFloat32("w", w, row);
  return model(nodes, [valueInfo("x", 1, shape)], [valueInfo("y", 1, shape)], [weight], 18);
}

async function evaluate(runtime: Runtime, entry: Case, target: "wasm" | "webgpu") {
  const plan = await buildStep(
    product(entry),
    trainingSettings({ loss: entry.options, trainable: ["w"] }),
    {
      fields: {
        x: { dtype: "float32", shape: entry.row },
        [LABEL]: { dtype: entry.dtype, shape: entry.label_shape },
      },
    },
    { target },
  );
  const feeds = {
    ...vectorFeeds(plan.layout, await plan.initial()),
    x: tensor("float32", [entry.rows, ...entry.row], entry.x),
    [LABEL]: tensor(entry.dtype, [entry.rows, ...entry.label_shape], entry.label),
  };
  const scalar = (outputs: Record<string, { bytes: Uint8Array }>, name: string) =>
    outputs[name] && new Float32Array(outputs[name].bytes.slice().buffer)[0];
  const step = await run(runtime, plan.step, feeds);
  const evaluation = await run(runtime, plan.evaluate, feeds);
  return {
    step,
    loss: scalar(step, "hone.loss"),
    correct: scalar(step, "hone.correct") ?? null,
    count: scalar(step, "hone.count"),
    evaluated: scalar(evaluation, "hone.loss"),
    gradient: floats(step[plan.layout.entries[0]?.gradient ?? ""]),
  };
}

let wasm: Runtime;
beforeAll(async () => {
  wasm = await nodeRuntime();
});

describe("losses and gradients are torch's", () => {
  it.each(cases)("$name", async (entry) => {
    const native = nativeRuntime();
    for (const [runtime, target] of [
      [wasm, "wasm"],
      [native, "webgpu"],
    ] as const) {
      const ours = await evaluate(runtime, entry, target);
      const label = `${runtime.name}, for ${target}`;
      expect(relativeError([ours.loss ?? NaN], [entry.loss]), label).toBeLessThan(2e-6);
      expect(ours.evaluated, label).toBe(ours.loss);
      expect(relativeError(ours.gradient, entry.gradient), label).toBeLessThan(2e-6);
      expect(ours.correct, label).toBe(entry.correct);
      expect(ours.count, label).toBe(entry.count);
      expect(entry.gradient.some((value) => value !== 0)).toBe(true);
    }
  });
});
