import { expect, it } from "vitest";
import { matchesGlob } from "../../../src/jobs/hooks/glob.ts";
import { cpuMs } from "../cpu-time.ts";

it("a star stays within a segment, two cross them, a question mark is one character", () => {
  for (const [pattern, text, fits] of [
    ["*.onnx", "model.onnx", true],
    ["*.onnx", "a/model.onnx", false],
    ["**/*.onnx", "a/b/model.onnx", true],
    ["**/*.onnx", "model.onnx", true],
    ["models/**/*.onnx", "models/model.onnx", true],
    ["models/**", "models/a/b", true],
    ["models/**", "other/a", false],
    ["v?.?", "v1.2", true],
    ["v?.?", "v1/2", false],
    ["", "", true],
    ["*", "", true],
    ["a.b", "axb", false],
    ["acme/*", "acme/vision", true],
    ["acme/*", "notacme/vision", false],
  ] as const) {
    expect([pattern, text, matchesGlob(pattern, text)]).toEqual([pattern, text, fits]);
  }
});

it("a hostile pattern takes no longer than its length times the text's", async () => {
  const spent = await cpuMs(() => {
    expect(matchesGlob("*a".repeat(100), `${"a".repeat(1000)}b`)).toBe(false);
    expect(matchesGlob("**/".repeat(60), "a/".repeat(500))).toBe(true);
  });
  expect(spent).toBeLessThan(2_000);
});
