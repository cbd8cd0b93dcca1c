/** @file Element-wise ops, products, reductions, softmax and normalizations against torch's gradients. */
import { describe, expect, test } from "vitest";
import { checkCase, readCases, runtimes } from "./running.ts";

const cases = readCases("rules.json");

describe("in wasm", () => {
  test.each(cases)("$name", async (golden) => {
    await checkCase(golden, runtimes.wasm);
  });
});

describe("in WebGPU's ops, with a first axis of a size that is not known", () => {
  test.each(cases.filter(({ batch }) => batch.length > 0))("$name", async (golden) => {
    await checkCase(golden, runtimes.native, { isSymbolic: true, target: "webgpu" });
  });
});

describe("natively", () => {
  test.each(cases)("$name", async (golden) => {
    await checkCase(golden, runtimes.native, { target: "native" });
  });
});

describe("natively with 2 threads", () => {
  const divided = cases.filter(({ name }) => /MatMul|Gemm|Reduce|Softmax|Normalization/.test(name));
  test.each(divided)("$name", async (golden) => {
    await checkCase(golden, runtimes["native with 2 threads"], { target: "native" });
  });
});

test("the gradients are not all zero", () => {
  for (const { name, gradients } of cases) {
    const isSome = Object.values(gradients).some(({ data }) =>
      Buffer.from(data, "base64").some((byte: number) => byte !== 0),
    );
    expect(isSome, name).toBe(true);
  }
});
