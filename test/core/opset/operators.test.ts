import { describe, expect, test } from "vitest";
import {
  MAX_IR,
  MAX_OPSET,
  maxOpset,
  minIrVersion,
  operatorHistories,
  operatorKnown,
  operatorSchema,
  operatorStatus,
  operatorVersion,
} from "../../../src/opset/operators.ts";

describe("the operator table", () => {
  test("knows 203 operators of ai.onnx up to opset 28, and IR version 14", () => {
    expect(operatorHistories("").size).toBe(203);
    expect([MAX_OPSET, MAX_IR]).toEqual([28, 14]);
    expect(maxOpset("ai.onnx.ml")).toBe(5);
    expect(maxOpset("com.microsoft")).toBeUndefined();
  });

  test("each operator's versions ascend and its counts are ranges", () => {
    for (const domain of ["", "ai.onnx.ml", "ai.onnx.preview.training"]) {
      for (const [opType, versions] of operatorHistories(domain)) {
        versions.forEach((version, i) => {
          expect(version.since, opType).toBeGreaterThan(versions[i - 1]?.since ?? 0);
          expect(version.minInputs, opType).toBeLessThanOrEqual(version.maxInputs);
          expect(version.minOutputs, opType).toBeLessThanOrEqual(version.maxOutputs);
        });
      }
    }
  });

  test("the version in force is the newest up to the imported one", () => {
    expect(operatorVersion("", "Softmax", 12)).toBe(11);
    expect(operatorVersion("", "Softmax", 13)).toBe(13);
    expect(operatorVersion("", "Softmax", 20)).toBe(13);
    expect(operatorVersion("", "Gelu", 19)).toBeUndefined();
    expect(operatorVersion("com.microsoft", "MatMulNBits", 1)).toBeUndefined();
  });

  test("counts of inputs and outputs are those of the version", () => {
    expect(operatorSchema("", "Clip", 6)).toMatchObject({ minInputs: 1, maxInputs: 1 });
    expect(operatorSchema("", "Clip", 11)).toMatchObject({ minInputs: 1, maxInputs: 3 });
    expect(operatorSchema("", "Concat", 13)).toMatchObject({ minInputs: 1, maxInputs: Infinity });
  });

  test("what is not in an opset is told apart: unknown, yet to come, removed", () => {
    expect(operatorStatus("", "Relu", 1)).toBe("known");
    expect(operatorStatus("", "Rleu", 21)).toBe("unknown");
    expect(operatorStatus("", "Gelu", 19)).toBe("future");
    expect(operatorStatus("", "Upsample", 9)).toBe("known");
    expect(operatorStatus("", "Upsample", 10)).toBe("removed");
    expect(operatorStatus("", "Scatter", 11)).toBe("removed");
    expect(operatorStatus("ai.onnx.ml", "TreeEnsembleRegressor", 5)).toBe("removed");
  });

  test("GroupNormalization 18 loads although it is marked deprecated", () => {
    expect(operatorSchema("", "GroupNormalization", 18)?.deprecated).toBe(true);
    expect(operatorKnown("", "GroupNormalization", 18)).toBe(true);
  });

  test.each(["Affine", "Crop", "ImageScaler", "ParametricSoftplus", "ScaledTanh", "Scale"])(
    "%s is experimental up to opset 9, as ONNX Runtime loads it",
    (opType) => {
      expect(operatorStatus("", opType, 7)).toBe("experimental");
      expect(operatorKnown("", opType, 9)).toBe(true);
      expect(operatorStatus("", opType, 10)).toBe("removed");
    },
  );

  test("experimental operators that became standard change over without a gap", () => {
    expect(operatorStatus("", "ThresholdedRelu", 9)).toBe("experimental");
    expect(operatorStatus("", "ThresholdedRelu", 10)).toBe("known");
    expect(operatorStatus("", "MeanVarianceNormalization", 8)).toBe("experimental");
    expect(operatorStatus("", "MeanVarianceNormalization", 9)).toBe("known");
    expect(operatorStatus("", "LayerNormalization", 16)).toBe("experimental");
    expect(operatorStatus("", "SimplifiedLayerNormalization", 21)).toBe("experimental");
  });

  test("operators of other domains are accepted unseen", () => {
    expect(operatorStatus("com.microsoft", "Anything", 1)).toBe("foreign");
    expect(operatorKnown("my.domain", "Anything", 99)).toBe(true);
  });

  test("names of object properties are no operators and no domains", () => {
    expect(operatorStatus("", "constructor", 21)).toBe("unknown");
    expect(operatorStatus("constructor", "Relu", 21)).toBe("foreign");
  });

  test("an opset needs the IR version that came with it", () => {
    expect([1, 8, 9, 10, 11, 12, 13, 15, 19, 21, 23].map(minIrVersion)).toEqual([
      3, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11,
    ]);
  });
});
