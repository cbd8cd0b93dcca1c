import { expect, test } from "vitest";
import { subgraphs } from "../../../src/graph/attributes.ts";
import type { Node } from "../../../src/onnx/model.ts";
import { ADAPTERS, COMPATIBLE, LAST_CLASSIFIED_OPSET } from "../../../src/opset/adapters/table.ts";
import { operatorHistories, operatorStatus } from "../../../src/opset/operators.ts";
import { CASES, caseModel } from "./cases.ts";

/** `Op version` for each version after the first, up to the last opset that is classified. */
function steps(): string[] {
  return [...operatorHistories("")].flatMap(([opType, versions]) =>
    versions
      .slice(1)
      .filter(({ since }) => since <= LAST_CLASSIFIED_OPSET)
      .map(({ since }) => `${opType} ${since}`),
  );
}

const adapted = Object.entries(ADAPTERS).flatMap(([opType, versions]) =>
  Object.keys(versions).map((version) => `${opType} ${version}`),
);
const compatible = Object.entries(COMPATIBLE).flatMap(([version, opTypes]) =>
  opTypes.split(" ").map((opType) => `${opType} ${version}`),
);

const isExperimental = (step: string): boolean => {
  const [opType = "", version] = step.split(" ");
  return operatorStatus("", opType, Number(version) - 1) === "experimental";
};

test("each new version of an operator is either compatible or has an adapter", () => {
  const standard = adapted.filter((step) => !isExperimental(step));
  const classified = [...standard, ...compatible].sort();
  expect(new Set(classified).size).toBe(classified.length);
  expect(classified).toEqual(steps().sort());
});

test("the other adapters belong to experimental operators at their last opset", () => {
  for (const step of adapted.filter(isExperimental)) {
    const [opType = "", version] = step.split(" ");
    expect(operatorStatus("", opType, Number(version)), step).not.toBe("experimental");
  }
});

test("each adapter is executed by a golden case", async () => {
  const executed = new Set<string>();
  const visit = (nodes: readonly Node[], opset: number): void => {
    for (const node of nodes) {
      for (const version of Object.keys(ADAPTERS[node.opType] ?? {})) {
        if (Number(version) > opset) executed.add(`${node.opType} ${version}`);
      }
      for (const body of subgraphs(node)) visit(body.nodes, opset);
    }
  };
  for (const entry of CASES) {
    const model = await caseModel(entry);
    visit(model.graph.nodes, entry.opset);
    for (const definition of model.functions) visit(definition.nodes, entry.opset);
  }
  expect(adapted.filter((step) => !executed.has(step))).toEqual([]);
});
