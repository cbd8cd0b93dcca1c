/** @file A small training in a workspace of its own: points around three centres, and a net that tells them apart. */
import { zipSync } from "fflate";
import { expect } from "vitest";
import { makeFloat32, makeNode } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import type { Model, ValueInfo } from "../../../src/onnx/model.ts";
import { MemorySource } from "../../../src/onnx/source.ts";
import { readModel } from "../../../src/onnx/read-model.ts";
import { readAll } from "../../../src/onnx/tensor-data.ts";
import { npy } from "../service/dataset-files.ts";
import { fileOf, linear } from "../service/models.ts";
import { type Answer, newWorkspace, type Workspace } from "../service/service.ts";

const FEATURES = 4;
const HIDDEN = 16;
const CLASSES = 3;

/** Numbers in -1 … 1 (Numerical Recipes' linear congruential generator). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const values = (count: number, seed: number, scale: number) => {
  const next = generator(seed);
  return Array.from({ length: count }, () => next() * scale);
};

function info(name: string, width: number): ValueInfo {
  const shape = ["batch", width];
  return { name, type: { kind: "tensor", elementType: DataType.float32, shape } };
}

/** logits = relu(x·w1 + b1)·w2 + b2. */
export function classifier(): Model {
  const model = linear();
  model.graph.nodes = [
    makeNode("Gemm", ["x", "w1", "b1"], ["h"], { name: "fc1" }),
    makeNode("Relu", ["h"], ["r"], { name: "relu" }),
    makeNode("Gemm", ["r", "w2", "b2"], ["logits"], { name: "fc2" }),
  ];
  model.graph.initializers = new Map([
    ["w1", makeFloat32("w1", values(FEATURES * HIDDEN, 1, 0.5), [FEATURES, HIDDEN])],
    ["b1", makeFloat32("b1", values(HIDDEN, 2, 0.1), [HIDDEN])],
    ["w2", makeFloat32("w2", values(HIDDEN * CLASSES, 3, 0.5), [HIDDEN, CLASSES])],
    ["b2", makeFloat32("b2", values(CLASSES, 4, 0.1), [CLASSES])],
  ]);
  model.graph.inputs = [info("x", FEATURES)];
  model.graph.outputs = [info("logits", CLASSES)];
  return model;
}

export interface Faults {
  /** The last row is not a number. */
  bad?: boolean;
  /** The last row's label. */
  lastLabel?: number;
}

/** Rows of each class in turn. */
export function pointsNpz(
  rows: number,
  { bad = false, lastLabel }: Faults = {},
): Uint8Array<ArrayBuffer> {
  const next = generator(7);
  const x = new Float32Array(rows * FEATURES);
  const label = new BigInt64Array(rows);
  for (let row = 0; row < rows; row++) {
    const kind = row % CLASSES;
    label[row] = BigInt(kind);
    for (let i = 0; i < FEATURES; i++) {
      x[row * FEATURES + i] = (i === kind ? 1.5 : 0) + next() * 0.7;
    }
  }
  if (bad) x[x.length - 1] = NaN;
  if (lastLabel !== undefined) label[rows - 1] = BigInt(lastLabel);
  return new Uint8Array(
    zipSync(
      {
        "x.npy": npy("<f4", [rows, FEATURES], new Uint8Array(x.buffer)),
        "label.npy": npy("<i8", [rows], new Uint8Array(label.buffer)),
      },
      // A zip has times: with a fixed one the same points are the same file, and a result says which file it learnt from.
      { mtime: "2026-01-01T00:00:00" },
    ),
  );
}

export interface Training extends Workspace {
  model: string;
  dataset: string;
  /** POST /v1/training-jobs with model, dataset and these options. */
  train: (options?: Record<string, unknown>, headers?: Record<string, string>) => Promise<Answer>;
}

export async function newTraining(rows = 96, points?: Faults): Promise<Training> {
  const workspace = await newWorkspace();
  const { call } = workspace;
  const stored = await call("/v1/models?name=points.onnx", { body: await fileOf(classifier()) });
  const data = await call("/v1/datasets", { body: pointsNpz(rows, points) });
  expect([stored.status, data.status]).toEqual([201, 201]);
  const [model, dataset] = [stored.json.id, data.json.id];
  return {
    ...workspace,
    model,
    dataset,
    train: (options = {}, headers = {}) =>
      call("/v1/training-jobs", { json: { model, dataset, ...options }, headers }),
  };
}

/** The job once it is over. */
export async function over({ call }: Workspace, job: string): Promise<Answer["json"]> {
  const state = async () => (await call(`/v1/jobs/${job}`)).json.state;
  await expect.poll(state, { interval: 20 }).toMatch(/^(succeeded|failed|canceled)$/);
  return (await call(`/v1/jobs/${job}`)).json;
}

/** The weights of a stored model, by name, as numbers. */
export async function weights(
  { call }: Workspace,
  model: string,
): Promise<Record<string, number[]>> {
  const { bytes } = await call(`/v1/models/${model}/content`);
  const { graph } = await readModel(new MemorySource(new Uint8Array(bytes)));
  const found: Record<string, number[]> = {};
  for (const [name, { data }] of graph.initializers) {
    found[name] = [...new Float32Array((await readAll(data)).slice().buffer)];
  }
  return found;
}
