import fc from "fast-check";
import { expect, test } from "vitest";
import * as reference from "../../../src/kernels/reference/optimizers.ts";
import { guarded, kernels } from "./guarded.ts";
import { finiteVectors, RUNS, shifts } from "./weights.ts";

const scalar = fc.float({ min: 0, max: 1, noNaN: true });

/** Gradients and state of the same length, from the parameters. */
function others(p: Float32Array): { g: Float32Array; m: Float32Array; v: Float32Array } {
  return {
    g: p.toReversed(),
    m: p.map((x, i) => (i % 5 === 0 ? 0 : x * 0.3)),
    v: p.map((x) => Math.min(x * x, 3e38)),
  };
}

test("SGD is the reference's to the bit", () => {
  fc.assert(
    fc.property(finiteVectors(), shifts, scalar, scalar, (p, shift, learningRate, decay) => {
      const { g } = others(p);
      const found = guarded((memory) => {
        const at = memory.put(p, shift);
        kernels.sgdStep(at, memory.put(g), p.length, learningRate, decay);
        return memory.take(at, p);
      });
      reference.sgdStep(p, g, { learningRate, decay });
      expect(found).toEqual(p);
    }),
    RUNS,
  );
});

test("SGD with momentum is the reference's to the bit", () => {
  fc.assert(
    fc.property(
      finiteVectors(),
      shifts,
      fc.tuple(scalar, scalar, scalar, scalar),
      fc.boolean(),
      (p, shift, [learningRate, decay, momentum, fresh], nesterov) => {
        const { g, m } = others(p);
        const found = guarded((memory) => {
          const [at, mAt] = [memory.put(p, shift), memory.put(m)];
          const n = p.length;
          const flag = Number(nesterov);
          const gAt = memory.put(g);
          kernels.sgdMomentumStep(at, gAt, mAt, n, learningRate, decay, momentum, fresh, flag);
          return [memory.take(at, p), memory.take(mAt, m)];
        });
        const scalars = { learningRate, decay, momentum, fresh, nesterov };
        reference.sgdMomentumStep(p, g, m, scalars);
        expect(found).toEqual([p, m]);
      },
    ),
    RUNS,
  );
});

test("Adam is the reference's to the bit", () => {
  fc.assert(
    fc.property(
      finiteVectors(),
      shifts,
      fc.tuple(scalar, scalar, scalar, scalar),
      fc.tuple(scalar, scalar, scalar, scalar),
      (p, shift, [stepSize, fresh1, beta2, fresh2], [correction2, eps, decay, keep]) => {
        const { g, m, v } = others(p);
        const found = guarded((memory) => {
          const [at, mAt, vAt] = [memory.put(p, shift), memory.put(m), memory.put(v, shift)];
          kernels.adamStep(
            at,
            memory.put(g),
            mAt,
            vAt,
            p.length,
            stepSize,
            fresh1,
            beta2,
            fresh2,
            correction2,
            eps,
            decay,
            keep,
          );
          return [memory.take(at, p), memory.take(mAt, m), memory.take(vAt, v)];
        });
        const moments = { stepSize, fresh1, beta2, fresh2 };
        reference.adamStep(p, g, m, v, { ...moments, correction2, eps, decay, keep });
        expect(found).toEqual([p, m, v]);
      },
    ),
    RUNS,
  );
});

test("Lion is the reference's to the bit", () => {
  fc.assert(
    fc.property(
      finiteVectors(),
      shifts,
      fc.tuple(scalar, scalar, scalar),
      fc.tuple(scalar, scalar, scalar),
      (p, shift, [learningRate, beta1, fresh1], [beta2, fresh2, keep]) => {
        const { g, m } = others(p);
        const found = guarded((memory) => {
          const [at, mAt] = [memory.put(p, shift), memory.put(m)];
          const n = p.length;
          const gAt = memory.put(g);
          kernels.lionStep(at, gAt, mAt, n, learningRate, beta1, fresh1, beta2, fresh2, keep);
          return [memory.take(at, p), memory.take(mAt, m)];
        });
        reference.lionStep(p, g, m, { learningRate, beta1, fresh1, beta2, fresh2, keep });
        expect(found).toEqual([p, m]);
      },
    ),
    RUNS,
  );
});

test("Lion with a rate of zero keeps the sign of a zero, as the reference does", () => {
  const p = Float32Array.of(-1e-30, 1e-30, -1e-30, -1e-30, -1e-30);
  const [g, m] = [Float32Array.of(-1, -1, 1, -1, -1), new Float32Array(5)];
  const found = guarded((memory) => {
    const at = memory.put(p);
    kernels.lionStep(at, memory.put(g), memory.put(m), p.length, 0, 0.9, 0.1, 0.99, 0.01, 1e-30);
    return memory.take(at, p);
  });
  const scalars = { learningRate: 0, beta1: 0.9, fresh1: 0.1, beta2: 0.99, fresh2: 0.01 };
  reference.lionStep(p, g, m, { ...scalars, keep: 1e-30 });
  expect(found).toEqual(p);
});
