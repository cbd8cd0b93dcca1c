/** @file The pipeline on small models with real ONNX Runtime: what is handed out, what is refused, what the report says. */
import { beforeAll, describe, expect, it } from "vitest";
import { compress } from "../../../src/compress/compress.ts";
import {
  type CompressEnvironment,
  type CompressOperation,
  CompressRefusal,
  type CompressionReport,
} from "../../../src/compress/types.ts";
import { changeProblem } from "../../../src/compress/verification.ts";
import { kernelModule } from "../../../src/kernels/node.ts";
import { MemorySink, MemorySource } from "../../../src/onnx/source.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";
import { blank, convolution, product, wholeNumbers, withoutWeights } from "./models.ts";

let environment: CompressEnvironment;

beforeAll(async () => {
  environment = { kernels: await kernelModule(), runtime: await nodeRuntime() };
});

interface Outcome {
  report: CompressionReport;
  bytes: Uint8Array;
}

async function run(
  model: Uint8Array,
  options: Record<string, unknown>,
  operation: CompressOperation = "quantize",
): Promise<Outcome> {
  const { report, files } = await compress(
    { source: new MemorySource(model) },
    { operation, options },
    environment,
  );
  const [file] = files;
  if (!file) throw new Error("there is no file");
  const sink = new MemorySink(file.byteLength);
  await file.write(sink);
  return { report, bytes: sink.bytes };
}

async function refusal(
  model: Uint8Array,
  options: Record<string, unknown>,
): Promise<CompressRefusal> {
  try {
    await run(model, options);
  } catch (error) {
    if (error instanceof CompressRefusal) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("auto", () => {
  it("keeps the smallest candidate that is close, and says what it tried", async () => {
    const { report } = await run(await product(), {});
    const chosen = report.tried.filter(({ outcome }) => outcome === "chosen");
    expect(chosen).toHaveLength(1);
    expect(chosen[0]).toMatchObject({ method: report.method, bytes: report.bytesAfter });
    const refused = report.tried.filter(({ outcome }) => outcome === "refused");
    for (const { reason } of refused) expect(reason).toBeTruthy();
  });

  it("trusts only weight-only int8 where the outputs say nothing", async () => {
    const { report } = await run(await blank(), {});
    expect(report.verification).toMatchObject({ ran: true, minCosine: null, minSqnrDb: null });
    expect(report.method).toBe("weight_only");
    const smaller = report.tried.find(({ method }) => method.includes("bits=4"));
    expect(smaller?.reason).toMatch(/could not be measured/);
  });

  it("does not take whole numbers that differ for close", async () => {
    const error = await refusal(await wholeNumbers(), {});
    expect(error.code).toBe("not_close_enough");
  });

  it("refuses with a report of what it tried", async () => {
    const far = await refusal(await product(), { min_sqnr_db: 190 });
    expect(far.code).toBe("not_close_enough");
    expect(far.report?.tried.length).toBeGreaterThan(3);
    const none = await refusal(await withoutWeights(), {});
    expect(none.code).toBe("nothing_to_gain");
    expect(none.report?.tried.length).toBeGreaterThan(3);
  });
});

describe("bounds", () => {
  it.each([{ min_sqnr_db: 5 }, { min_cosine: 0.5 }])(
    "%o that cannot be measured are not met",
    async (bounds) => {
      const error = await refusal(await blank(), { method: "weight_only", ...bounds });
      expect(error.code).toBe("not_close_enough");
      expect(error.message).toMatch(/could not be measured/);
    },
  );

  it("are met by whole numbers only where all are equal", async () => {
    const error = await refusal(await wholeNumbers(), { method: "weight_only", min_cosine: 0.9 });
    expect(error.code).toBe("not_close_enough");
  });
});

describe("a model that is quantized already", () => {
  it("has nothing to gain, and the refusal says what is quantized", async () => {
    const once = await run(await product(), { method: "weight_only" });
    const error = await refusal(once.bytes, { method: "weight_only" });
    expect(error.code).toBe("nothing_to_gain");
    expect(error.message).toMatch(/QuantizeLinear\/DequantizeLinear/);
    expect((await refusal(once.bytes, {})).message).toMatch(/QuantizeLinear\/DequantizeLinear/);
  });
});

describe("presets", () => {
  it("q8 has signed weights where no convolution needs unsigned ones", async () => {
    expect((await run(await product(), { dtype: "q8" })).report.changed[0]?.to).toBe("int8");
    expect((await run(await convolution(), { dtype: "q8" })).report.changed[0]?.to).toBe("uint8");
  });

  it("q4 of a model without MatMul has nothing to gain", async () => {
    expect((await refusal(await convolution(), { dtype: "q4" })).code).toBe("nothing_to_gain");
  });

  it("q4f16 of a model without MatMul is its float16", async () => {
    const { report } = await run(await convolution(), { dtype: "q4f16" });
    expect(report.changed[0]?.to).toBe("float16");
  });
});

describe("a method that needs a newer opset", () => {
  it("says once from where to where the model was lifted", async () => {
    const { report } = await run(await product(11), { method: "weight_only" });
    expect(report.notes.filter((note) => /opset 11/.test(note))).toHaveLength(1);
  });

  it("does not apply where there is no way to that opset", async () => {
    const options = { method: "weight_only", bits: 2, quant_format: "QDQ" };
    expect((await refusal(await product(), options)).code).toBe("not_applicable");
  });
});

describe("the report's method", () => {
  it("spells out options that are objects", async () => {
    const { report } = await run(
      await product(),
      { method: "l1_unstructured", amounts: { w: 0.5 } },
      "prune",
    );
    expect(report.method).toContain('amounts={"w":0.5}');
  });
});

describe("a simplification", () => {
  const measured = {
    loaded: true,
    ran: true,
    reason: null,
    runtime: "wasm",
    inputs: "synthetic, 2",
    outputs: [],
    minCosine: 1,
    minSqnrDb: 120,
  };

  it("is run beside the original with the sizes that it fixes", async () => {
    const { report } = await run(await product(), { input_shapes: { x: [9, 64] } }, "simplify");
    expect(report.verification).toMatchObject({ ran: true, minSqnrDb: 200 });
    expect(report.verification.outputs[0]?.dims).toEqual([9, 64]);
    expect(report.notes.join()).toMatch(/nothing to do.*no node is gone/);
  });

  it("whose answers are others is refused, unless a bound takes it", () => {
    const far = { ...measured, minSqnrDb: 39 };
    expect(changeProblem(measured, {})).toBeUndefined();
    expect(changeProblem(far, {})).toMatch(/39.0 dB/);
    expect(changeProblem(far, { min_sqnr_db: 20 })).toBeUndefined();
    const output = { name: "y", dataType: "int64", dims: [2], cosine: null, sqnrDb: null };
    const half = { ...output, maxAbsError: null, argmaxAgreement: null, equal: 0.5 };
    expect(changeProblem({ ...measured, outputs: [half] }, {})).toMatch(/only 0.5 of "y"/);
  });

  it("that fails on what the original takes is refused, one that was not run is not", () => {
    const failed = { ...measured, ran: false, reason: "the result does not run: bad shape" };
    expect(changeProblem(failed, {})).toMatch(/does not run/);
    const unknown = { ...failed, reason: "the original was not run: no sample" };
    expect(changeProblem(unknown, {})).toBeUndefined();
  });
});
