import fc from "fast-check";
import { expect, test } from "vitest";
import { transpose32, transpose8 } from "../../../src/kernels/reference/transpose.ts";
import * as reference from "../../../src/kernels/reference/vectors.ts";
import { guarded, kernels } from "./guarded.ts";
import { finiteVectors, RUNS, shifts } from "./weights.ts";

test("dot and sumAbs are float64 sums", () => {
  fc.assert(
    fc.property(finiteVectors(), shifts, (a, shift) => {
      const b = a.toReversed();
      const found = guarded((memory) => {
        const p = memory.put(a, shift);
        return [kernels.dot(p, memory.put(b), a.length), kernels.sumAbs(p, a.length)];
      });
      const size = reference.dot(a.map(Math.abs), b.map(Math.abs));
      expect(Math.abs((found[0] ?? NaN) - reference.dot(a, b))).toBeLessThanOrEqual(size * 1e-13);
      const sum = reference.sumAbs(a);
      expect(Math.abs((found[1] ?? NaN) - sum)).toBeLessThanOrEqual(sum * 1e-13);
    }),
    RUNS,
  );
});

test("axpy and accumulate round as float32 does", () => {
  fc.assert(
    fc.property(
      finiteVectors(),
      fc.constantFrom(1, -0.5, 1e-3, 3e38),
      shifts,
      (x, alpha, shift) => {
        const y = x.toReversed();
        const found = guarded((memory) => {
          const [p, a, b] = [memory.put(x, shift), memory.put(y), memory.put(y, shift)];
          kernels.axpy(alpha, p, a, x.length);
          kernels.accumulate(p, b, x.length);
          return [memory.take(a, y), memory.take(b, y)];
        });
        const scaled = y.slice();
        reference.axpy(alpha, x, scaled);
        reference.accumulate(x, y);
        expect(found).toEqual([scaled, y]);
      },
    ),
    RUNS,
  );
});

test("scale and float32FromInt8 round their product to float32", () => {
  fc.assert(
    fc.property(
      finiteVectors(),
      fc.constantFrom(1, -0.5, 1e-3, 3e38),
      shifts,
      (x, alpha, shift) => {
        const q = new Int8Array(x.buffer, 0, x.length);
        const found = guarded((memory) => {
          const [a, codes, b] = [memory.put(x, shift), memory.put(q, shift), memory.put(x)];
          kernels.scale(alpha, a, x.length);
          kernels.float32FromInt8(codes, x.length, alpha, b);
          return [memory.take(a, x), memory.take(b, x)];
        });
        const decoded = reference.float32FromInt8(q, alpha);
        reference.scale(alpha, x);
        expect(found).toEqual([x, decoded]);
      },
    ),
    RUNS,
  );
});

test("transposes move every element of any shape", () => {
  const sizes = fc.integer({ min: 0, max: 40 });
  fc.assert(
    fc.property(sizes, sizes, (rows, cols) => {
      const words = Uint32Array.from({ length: rows * cols }, (_, i) => Math.imul(i, 2654435761));
      const bytes = Uint8Array.from(words, (word) => word >>> 24);
      const found = guarded((memory) => {
        const out32 = memory.room(words.byteLength);
        const out8 = memory.room(bytes.byteLength);
        kernels.transpose32(memory.put(words, 1), rows, cols, out32);
        kernels.transpose8(memory.put(bytes, 1), rows, cols, out8);
        return [memory.take(out32, words), memory.take(out8, bytes)];
      });
      expect(found).toEqual([transpose32(words, rows, cols), transpose8(bytes, rows, cols)]);
    }),
    RUNS,
  );
});
