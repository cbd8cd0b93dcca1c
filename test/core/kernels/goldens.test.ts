import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as ours from "./against-onnxruntime.ts";
import { distribution, scaledBell } from "./distributions.ts";
import { guarded, kernels } from "./guarded.ts";

interface HqqGolden {
  readonly codes: string;
  readonly scales: string;
  readonly zeroPoints: string;
}

interface Goldens {
  readonly count: number;
  readonly distributions: Record<
    string,
    Record<string, ours.AffineParameters & { digest: string }>
  >;
  readonly oddShapes: Record<string, string>;
  readonly sweep: { readonly float16: string; readonly halves: string };
  readonly thresholds: { readonly x: string; readonly fp4: string; readonly nf4: string };
  readonly hqq: Record<string, HqqGolden>;
}

const goldens = JSON.parse(readFileSync("test/goldens/kernels/goldens.json", "utf8")) as Goldens;

function floats(hex: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(hex, "hex")).buffer);
}

function digest(arrays: readonly ArrayBufferView[]): string {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of arrays) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest("hex").slice(0, 16);
}

describe.each(Object.entries(goldens.distributions))("%s weights", (name, cases) => {
  const x = distribution(name, goldens.count);
  const side = Math.sqrt(x.length);

  test("have ONNX Runtime's codes, scales and zero points in every format", () => {
    const expected: Record<string, string> = {};
    const found: Record<string, string> = {};
    for (const [kernel, golden] of Object.entries(cases)) {
      expected[kernel] = golden.digest;
      const [family = "", kind = ""] = kernel.split("/");
      if (kind === "int8-columns") found[kernel] = digest(ours.int8Columns(x, side));
      else if (family === "affine") found[kernel] = digest(ours.affine(kind, x, golden));
      else if (family === "float16") found[kernel] = digest(ours.halves(x));
      else if (family === "bfloat16") found[kernel] = digest(ours.bfloat16(x));
      else found[kernel] = digest(ours.blocks(kernel, x, side));
    }
    expect(found).toEqual(expected);
  });
});

test("matrices that fill neither blocks nor bytes have ONNX Runtime's bytes", () => {
  const found: Record<string, string> = {};
  for (const name of Object.keys(goldens.oddShapes)) {
    const [format, shape = "", how] = name.split("/");
    const [rows = 0, cols = 0] = shape.split("x").map(Number);
    const x = scaledBell(rows, rows * cols, 0.01);
    found[name] = digest(ours.blocks(`${format}/${how}`, x, cols));
  }
  expect(found).toEqual(goldens.oddShapes);
});

test("float32 of all exponents become NumPy's halves", () => {
  const bits = Uint32Array.from({ length: 65536 }, (_, i) => Math.imul(i, 65599));
  expect(digest(ours.halves(new Float32Array(bits.buffer)))).toBe(goldens.sweep.float16);
});

test("every half becomes NumPy's float32", () => {
  const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const floats = guarded((memory) => {
    const out = memory.room(halves.length * 4);
    kernels.float32FromFloat16(memory.put(halves), halves.length, out);
    return memory.bytes(out, halves.length * 4);
  });
  expect(digest([floats])).toBe(goldens.sweep.halves);
});

test.each(["fp4", "nf4"] as const)(
  "%s changes codes where ONNX Runtime does, to the ulp",
  (format) => {
    const x = floats(goldens.thresholds.x);
    const [packed] = ours.blocks(`${format}/16`, x, x.length);
    expect(Buffer.from(packed as Uint8Array).toString("hex")).toBe(goldens.thresholds[format]);
  },
);

test.each(Object.entries(goldens.hqq))(
  "HQQ %s follows ONNX Runtime's to rounding",
  (name, golden) => {
    const [bits = 0, blockSize = 0, gain = 0] = name.split("/").map(Number);
    const x = scaledBell(77, 4 * 96, 0.003).map((v) => v * gain);
    const codes = Buffer.from(golden.codes, "hex");
    const [scales, zeroPoints] = [floats(golden.scales), floats(golden.zeroPoints)];
    const found = guarded((memory) => {
      const q = memory.room(codes.length);
      const s = memory.room(scales.byteLength);
      const z = memory.room(scales.byteLength);
      kernels.hqqRowBlocks(memory.put(x), 4, 96, blockSize, bits, q, s, z);
      return {
        codes: memory.bytes(q, codes.length),
        scales: memory.take(s, scales),
        zeroPoints: memory.take(z, zeroPoints),
      };
    });
    expect(found.scales).toEqual(scales);
    for (const [i, zero] of zeroPoints.entries()) {
      expect(Math.abs((found.zeroPoints[i] ?? NaN) - zero)).toBeLessThan(1e-5 * (2 ** bits - 1));
    }
    expect([...found.codes]).toEqual([...codes]);
  },
);
