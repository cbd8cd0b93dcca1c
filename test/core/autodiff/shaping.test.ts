/** @file Reshaping, cutting, padding, indexing and Einsum against torch's gradients, in the formulations of every target. */
import { expect, test } from "vitest";
import { differentiate } from "../../../src/autodiff/differentiate.ts";
import { normalise } from "../../../src/autodiff/normalise.ts";
import { makeInt } from "../../../src/graph/attributes.ts";
import { makeNode, makeTensor } from "../../../src/graph/build.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { float32, model, uniform, valueInfo } from "../runtime/models.ts";
import { float32s, runtimes } from "./running.ts";
import { holdGoldens } from "./hold-goldens.ts";

holdGoldens("shaping.json");

test("rows that are picked again and again get every part of their gradient, with two threads too", async () => {
  const [rows, width, count] = [5, 8, 20_000];
  const ids = BigInt64Array.from({ length: count }, (_, i) => BigInt((i * 7 + (i >> 3)) % rows));
  const cotangent = uniform(count * width, 1, 1);
  const expected = new Float64Array(rows * width);
  for (let i = 0; i < count * width; i++) {
    const place = Number(ids[Math.floor(i / width)]) * width + (i % width);
    expected[place] = (expected[place] ?? 0) + (cotangent[i] ?? 0);
  }
  const subject = model(
    [
      makeNode("Gather", ["table", "ids"], ["y"]),
      makeNode("Mul", ["y", "cotangent"], ["product"]),
      makeNode("ReduceSum", ["product"], ["loss"], { attributes: [makeInt("keepdims", 0)] }),
    ],
    [valueInfo("ids", 7, [count]), valueInfo("cotangent", 1, [count, width])],
    [valueInfo("loss", 1, [])],
    [makeTensor("table", 1, [rows, width], new Uint8Array(rows * width * 4))],
  );
  const options = { loss: "loss", parameters: ["table"], target: "native" } as const;
  const { model: whole, gradients } = await differentiate(await normalise(subject), options);
  const session = await runtimes["native with 2 threads"].load(await modelBytes(whole));
  const feeds = {
    table: float32([rows, width], new Float32Array(rows * width)),
    ids: { dataType: DataType.int64, dims: [count], bytes: new Uint8Array(ids.buffer) },
    cotangent: float32([count, width], cotangent),
  };
  for (let round = 0; round < 20; round++) {
    const gradient = (await session.run(feeds))[gradients.get("table") ?? ""];
    if (!gradient) throw new Error("no gradient");
    float32s(gradient).forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 2));
  }
  await session.release();
});
