import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeChunk, encodeChunk } from "../../../src/collectives/codecs/chunk.ts";
import { BLOCK, type Codec, encodedBytes } from "../../../src/collectives/codecs/codec.ts";
import { codecNamed } from "../../../src/collectives/codecs/named.ts";
import { ALGORITHMS, arena, bits, collectives, disturbed, rankOrderSum, vectors } from "./ranks.ts";

const CODECS = [
  codecNamed("none"),
  codecNamed("float16"),
  codecNamed("bfloat16"),
  codecNamed("int8"),
  codecNamed("top_k", 0.1),
];
const LOSSY = CODECS.filter(({ lossless }) => !lossless);

/** Lengths around the groups' and blocks' ends. */
const lengths = fc.constantFrom(0, 1, 5, 255, 256, 257, 1000, BLOCK - 1, BLOCK, BLOCK + 3, 20_000);
/** Values of very different sizes, some of them zero. */
const scales = fc.constantFrom(1e-38, 1e-20, 1e-6, 1, 3e4, 1e30, 3.4e38);

function values(length: number, scale: number, seed: number): Float32Array {
  const [x] = vectors(1, length, seed);
  return x!.map((v, i) => (i % 7 === 3 ? 0 : v * scale * 10 ** -(i % 4)));
}

function encode(codec: Codec, x: Float32Array, residual?: Float32Array): Uint8Array {
  const out = new Uint8Array(encodedBytes(codec, x.length));
  encodeChunk(arena, codec, x, out, residual);
  return out;
}

function decode(codec: Codec, payload: Uint8Array, length: number): Float32Array {
  const out = new Float32Array(length).fill(Number.NaN);
  decodeChunk(arena, codec, payload, out);
  return out;
}

describe.each(CODECS)("$name", (codec) => {
  test("what was decoded encodes to the same bytes", () => {
    fc.assert(
      fc.property(lengths, scales, fc.integer(), (length, scale, seed) => {
        const bytes = encode(codec, values(length, scale, seed));
        expect(encode(codec, decode(codec, bytes, length))).toEqual(bytes);
      }),
      { numRuns: 60 },
    );
  });

  test("with a residual, value and residual are kept: decoded + residual = x + residual before", () => {
    fc.assert(
      fc.property(lengths, fc.constantFrom(1e-6, 1, 1e4), (length, scale) => {
        const x = values(length, scale, 3);
        const before = values(length, scale / 10, 4);
        const residual = before.slice();
        const decoded = decode(codec, encode(codec, x, residual), length);
        if (codec.lossless) {
          expect(residual).toEqual(before);
          return;
        }
        const off = x.map((v, i) => {
          const whole = Math.fround(v + before[i]!);
          return Math.abs(decoded[i]! + residual[i]! - whole) - Math.abs(whole) * 2 ** -23;
        });
        expect(Math.max(0, ...off)).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "%f is not lost",
    (bad) => {
      const x = values(3000, 1, 5);
      x[1234] = bad;
      const decoded = decode(codec, encode(codec, x), x.length);
      expect(decoded.some((v) => !Number.isFinite(v))).toBe(true);
    },
  );

  test("a payload of another size is refused", () => {
    const bytes = encode(codec, values(300, 1, 1));
    expect(() => decode(codec, bytes.subarray(1), 300)).toThrow(
      new RegExp(`a payload of ${bytes.length - 1} bytes for 300 elements of ${codec.name}`),
    );
  });
});

test("sizes: 4, 2, 2, 1 + 4/256 and 6 · ratio bytes an element", () => {
  const sizes = CODECS.map((codec) => encodedBytes(codec, 10 * BLOCK) / (10 * BLOCK));
  expect(sizes).toEqual([4, 2, 2, 1 + 4 / 256, (6 * 820) / 8192]);
});

test("errors: 2^-11 and 2^-8 of a value, 1/254 of a group's largest and 2^-16 of that", () => {
  const x = values(20_000, 1, 9);
  for (const [name, bound] of [
    ["float16", 2 ** -11],
    ["bfloat16", 2 ** -8],
  ] as const) {
    const decoded = decode(codecNamed(name), encode(codecNamed(name), x), x.length);
    // float16's own spacing bounds the small ones
    const off = x.map(
      (v, i) => Math.abs(decoded[i]! - v) - Math.max(Math.abs(v) * bound, 2 ** -25),
    );
    expect(Math.max(...off)).toBeLessThanOrEqual(0);
  }
  const decoded = decode(codecNamed("int8"), encode(codecNamed("int8"), x), x.length);
  for (let start = 0; start < x.length; start += 256) {
    const group = x.subarray(start, start + 256);
    const most = Math.max(...group.map(Math.abs));
    const off = group.map((v, i) => Math.abs(decoded[start + i]! - v));
    expect(Math.max(...off)).toBeLessThanOrEqual((most / 254) * (1 + 2 ** -15));
  }
});

test("top_k keeps the largest magnitudes of each block as they are, the first of equal ones", () => {
  const codec = codecNamed("top_k", 0.25);
  const x = Float32Array.of(1, -5, 2, 2, 0.5, 2, -0.1, 0);
  expect([...decode(codec, encode(codec, x), 8)]).toEqual([0, -5, 2, 0, 0, 0, 0, 0]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: BLOCK }), fc.integer(), (length, seed) => {
      const v = values(length, 1, seed);
      const kept = decode(codec, encode(codec, v), length);
      const sorted = v.map(Math.abs).toSorted().toReversed();
      const least = sorted[Math.ceil(0.25 * length) - 1]!;
      const wrong = v.filter((w, i) =>
        Math.abs(w) > least ? kept[i] !== w : Math.abs(w) < least && kept[i] !== 0,
      );
      expect(wrong.length).toBe(0);
    }),
    { numRuns: 30 },
  );
  expect(() => codecNamed("top_k", 0)).toThrow(/ratio of 0 is not in \(0, 1\]/);
});

test("top_k refuses places outside of the block", () => {
  const codec = codecNamed("top_k", 0.25);
  const bytes = encode(codec, Float32Array.of(1, 2, 3, 4));
  bytes[4] = 9;
  expect(() => decode(codec, bytes, 4)).toThrow(/top_k names place 9 of 4 elements/);
});

describe.each(ALGORITHMS)("%s", (algorithm) => {
  test.each(LOSSY)("all ranks hold the same bits after $name, disturbed or not", async (codec) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 9 }),
        fc.nat(2000),
        fc.integer(),
        async (n, length, seed) => {
          const reduce = async (carry?: ReturnType<typeof disturbed>) => {
            const ranks = collectives(
              { worldSize: n, ...(carry ? { carry } : {}) },
              { algorithm, chunkBytes: 400 },
            );
            const mine = vectors(n, length, seed);
            const residuals = mine.map(() => new Float32Array(length));
            for (let step = 0; step < 2; step++) {
              await Promise.all(
                ranks.map((rank, r) =>
                  rank.allreduce(mine[r]!, { op: "mean", codec, residual: residuals[r]! }),
                ),
              );
            }
            return { mine: mine.map(bits), residuals: residuals.map(bits) };
          };
          const calm = await reduce();
          for (const vector of calm.mine) expect(vector).toEqual(calm.mine[0]);
          expect(await reduce(disturbed(seed))).toEqual(calm);
        },
      ),
      { numRuns: 8 },
    );
  });

  test("an allgather of a lossy codec leaves the owner with what the others decode", async () => {
    const ranks = collectives({ worldSize: 3 }, { algorithm });
    const mine = vectors(3, 1000);
    await Promise.all(
      ranks.map((rank, r) => rank.allgather(mine[r]!, { codec: codecNamed("int8") })),
    );
    expect(bits(mine[1]!)).toEqual(bits(mine[0]!));
    expect(bits(mine[2]!)).toEqual(bits(mine[0]!));
    const { start, end } = ranks[1]!.segment(1000);
    const before = vectors(3, 1000)[1]!.subarray(start, end);
    expect(mine[1]!.subarray(start, end)).not.toEqual(before);
  });

  test("error feedback: what 200 steps add up to is nearly exact, and 20 times worse without", async () => {
    const errors: Record<string, number> = {};
    for (const feedback of [true, false]) {
      const [n, length] = [4, 600];
      const ranks = collectives({ worldSize: n }, { algorithm });
      const residuals = ranks.map(() => new Float32Array(length));
      const total = new Float64Array(length);
      const exact = new Float64Array(length);
      for (let step = 0; step < 200; step++) {
        // the same small values each time lie the same way off their codes
        const mine = vectors(n, length, 1);
        for (const [i, v] of rankOrderSum(mine).entries()) exact[i]! += v;
        await Promise.all(
          ranks.map((rank, r) =>
            rank.allreduce(mine[r]!, {
              op: "sum",
              codec: codecNamed("int8"),
              ...(feedback ? { residual: residuals[r]! } : {}),
            }),
          ),
        );
        for (const [i, v] of mine[0]!.entries()) total[i]! += v;
      }
      const norm = (v: Float64Array) => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
      errors[String(feedback)] = norm(total.map((v, i) => v - exact[i]!)) / norm(exact);
    }
    expect(errors["true"]).toBeLessThan(2e-4);
    expect(errors["false"]).toBeGreaterThan(20 * errors["true"]!);
  });
});

/** Least squares by gradient descent: rank r holds rows r, r + N, … of A x = b; the loss relative to its start. */
async function descend(
  codec: Codec,
  feedback: boolean,
  steps: number,
  rate: number,
): Promise<number> {
  const [n, dimensions, rows] = [4, 32, 128];
  const features = vectors(rows, dimensions, 5);
  const [truth] = vectors(1, dimensions, 6);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  const targets = features.map((row) => dot(row, truth!));
  const ranks = collectives({ worldSize: n });
  const residuals = ranks.map(() => new Float32Array(dimensions));
  const x = new Float32Array(dimensions);
  const loss = () => features.reduce((sum, row, i) => sum + (dot(row, x) - targets[i]!) ** 2, 0);
  const start = loss();
  for (let step = 0; step < steps; step++) {
    const gradients = ranks.map((_, r) => {
      const gradient = new Float32Array(dimensions);
      for (let i = r; i < rows; i += n) {
        const error = dot(features[i]!, x) - targets[i]!;
        for (const [d, v] of features[i]!.entries()) gradient[d]! += (error * v * n) / rows;
      }
      return gradient;
    });
    await Promise.all(
      ranks.map((rank, r) =>
        rank.allreduce(gradients[r]!, {
          op: "mean",
          codec,
          ...(feedback ? { residual: residuals[r]! } : {}),
        }),
      ),
    );
    for (const [d, g] of gradients[0]!.entries()) x[d]! -= rate * g;
  }
  return loss() / start;
}

test("int8 with error feedback finds the least squares solution as float32 does", async () => {
  const plain = await descend(codecNamed("none"), false, 120, 1);
  expect(plain).toBeLessThan(1e-9);
  expect(await descend(codecNamed("int8"), true, 120, 1)).toBeLessThan(1e-8);
});

test("top_k of one in 32 converges with error feedback as all values do, and not without", async () => {
  const few = codecNamed("top_k", 1 / 32);
  const whole = await descend(codecNamed("none"), false, 300, 0.05);
  expect(whole).toBeLessThan(0.01);
  expect(await descend(few, true, 300, 0.05)).toBeLessThan(2 * whole);
  expect(await descend(few, false, 300, 0.05)).toBeGreaterThan(10 * whole);
});
