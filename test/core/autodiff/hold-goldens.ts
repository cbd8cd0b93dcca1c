/** @file A file of golden gradients, held to in the formulations of every target. */
import { describe, expect, test } from "vitest";
import { checkCase, readCases, runtimes } from "./running.ts";

export function holdGoldens(file: string): void {
  const cases = readCases(file);

  describe("in wasm", () => {
    test.each(cases)("$name", async (golden) => {
      await checkCase(golden, runtimes.wasm);
    });
  });

  describe("natively, with a first axis of a size that is not known", () => {
    test.each(cases.filter(({ batch }) => batch.length > 0))("$name", async (golden) => {
      await checkCase(golden, runtimes.native, { isSymbolic: true, target: "native" });
    });
  });

  describe("as for WebGPU, with a first axis of a size that is not known", () => {
    test.each(cases.filter(({ batch }) => batch.length > 0))("$name", async (golden) => {
      await checkCase(golden, runtimes.native, { isSymbolic: true, target: "webgpu" });
    });
  });

  test("every gradient has elements that are not zero", () => {
    for (const { name, gradients } of cases) {
      for (const { data } of Object.values(gradients)) {
        expect(
          Buffer.from(data, "base64").some((byte: number) => byte !== 0),
          name,
        ).toBe(true);
      }
    }
  });
}
