/**
 * @file One step of each optimizer, element by element in float32: what the SIMD kernels must equal bit for bit.
 *
 * The order of operations is torch.optim's (single tensor, without fused multiply-add); every operation
 * rounds to float32. Scalars come as float32 values.
 */

const f = Math.fround;

/** p −= lr·g, after g += decay·p. */
export function sgdStep(
  p: Float32Array,
  g: Float32Array,
  { learningRate, decay }: { learningRate: number; decay: number },
): void {
  for (let i = 0; i < p.length; i++) {
    const x = p[i] ?? 0;
    const d = f((g[i] ?? 0) + f(decay * x));
    p[i] = x - f(learningRate * d);
  }
}

export interface SgdMomentum {
  learningRate: number;
  /** Added to the gradient times the parameter. */
  decay: number;
  momentum: number;
  /** 1 − dampening; 1 in the first step. */
  fresh: number;
  nesterov: boolean;
}

/** b = momentum·b + fresh·g; p −= lr·b, or with Nesterov lr·(g + momentum·b). */
export function sgdMomentumStep(
  p: Float32Array,
  g: Float32Array,
  b: Float32Array,
  { learningRate, decay, momentum, fresh, nesterov }: SgdMomentum,
): void {
  for (let i = 0; i < p.length; i++) {
    const x = p[i] ?? 0;
    const d = f((g[i] ?? 0) + f(decay * x));
    const buffer = f(f(momentum * (b[i] ?? 0)) + f(fresh * d));
    const direction = nesterov ? f(d + f(momentum * buffer)) : buffer;
    b[i] = buffer;
    p[i] = x - f(learningRate * direction);
  }
}

export interface AdamStep {
  /** lr / (1 − β1^t). */
  stepSize: number;
  /** 1 − β1. */
  fresh1: number;
  beta2: number;
  /** 1 − β2. */
  fresh2: number;
  /** √(1 − β2^t). */
  correction2: number;
  eps: number;
  /** adam: added to the gradient times the parameter; adamw: 0. */
  decay: number;
  /** adamw: 1 − lr·decay; adam: 1. */
  keep: number;
}

/** m += (1 − β1)(g − m); v = β2·v + (1 − β2)g²; p = keep·p − stepSize·m / (√v / correction2 + eps). */
export function adamStep(
  p: Float32Array,
  g: Float32Array,
  m: Float32Array,
  v: Float32Array,
  step: AdamStep,
): void {
  const { stepSize, fresh1, beta2, fresh2, correction2, eps, decay, keep } = step;
  for (let i = 0; i < p.length; i++) {
    const x = p[i] ?? 0;
    const d = f((g[i] ?? 0) + f(decay * x));
    const m0 = m[i] ?? 0;
    const m1 = f(m0 + f(fresh1 * f(d - m0)));
    const v1 = f(f(beta2 * (v[i] ?? 0)) + f(f(fresh2 * d) * d));
    m[i] = m1;
    v[i] = v1;
    const denominator = f(f(f(Math.sqrt(v1)) / correction2) + eps);
    p[i] = f(keep * x) - f(f(stepSize * m1) / denominator);
  }
}

export interface LionStep {
  learningRate: number;
  beta1: number;
  /** 1 − β1. */
  fresh1: number;
  beta2: number;
  fresh2: number;
  /** 1 − lr·decay. */
  keep: number;
}

/** p = keep·p − lr·sign(β1·m + (1 − β1)g); m = β2·m + (1 − β2)g (Chen et al. 2023, algorithm 2). */
export function lionStep(
  p: Float32Array,
  g: Float32Array,
  m: Float32Array,
  { learningRate, beta1, fresh1, beta2, fresh2, keep }: LionStep,
): void {
  for (let i = 0; i < p.length; i++) {
    const d = g[i] ?? 0;
    const m0 = m[i] ?? 0;
    const direction = f(f(beta1 * m0) + f(fresh1 * d));
    const up = direction > 0 ? learningRate : 0;
    const down = direction < 0 ? learningRate : 0;
    p[i] = f(keep * (p[i] ?? 0)) - (up - down);
    m[i] = f(f(beta2 * m0) + f(fresh2 * d));
  }
}
