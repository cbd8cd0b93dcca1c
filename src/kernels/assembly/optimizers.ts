/** @file One step of each optimizer in place; the arithmetic is `reference/optimizers.ts`'s, operation by operation. */

export function sgdStep(p: usize, g: usize, n: i32, learningRate: f32, decay: f32): void {
  const rates = f32x4.splat(learningRate);
  const decays = f32x4.splat(decay);
  let i = 0;
  for (; i + 4 <= n; i += 4, p += 16, g += 16) {
    const x = v128.load(p);
    const d = f32x4.add(v128.load(g), f32x4.mul(decays, x));
    v128.store(p, f32x4.sub(x, f32x4.mul(rates, d)));
  }
  for (; i < n; i++, p += 4, g += 4) {
    const x = load<f32>(p);
    store<f32>(p, x - learningRate * (load<f32>(g) + decay * x));
  }
}

export function sgdMomentumStep(
  p: usize,
  g: usize,
  b: usize,
  n: i32,
  learningRate: f32,
  decay: f32,
  momentum: f32,
  fresh: f32,
  nesterov: i32,
): void {
  const rates = f32x4.splat(learningRate);
  const decays = f32x4.splat(decay);
  const momenta = f32x4.splat(momentum);
  const shares = f32x4.splat(fresh);
  let i = 0;
  for (; i + 4 <= n; i += 4, p += 16, g += 16, b += 16) {
    const x = v128.load(p);
    const d = f32x4.add(v128.load(g), f32x4.mul(decays, x));
    const buffer = f32x4.add(f32x4.mul(momenta, v128.load(b)), f32x4.mul(shares, d));
    const direction = nesterov ? f32x4.add(d, f32x4.mul(momenta, buffer)) : buffer;
    v128.store(b, buffer);
    v128.store(p, f32x4.sub(x, f32x4.mul(rates, direction)));
  }
  for (; i < n; i++, p += 4, g += 4, b += 4) {
    const x = load<f32>(p);
    const d: f32 = load<f32>(g) + decay * x;
    const buffer: f32 = momentum * load<f32>(b) + fresh * d;
    const direction: f32 = nesterov ? d + momentum * buffer : buffer;
    store<f32>(b, buffer);
    store<f32>(p, x - learningRate * direction);
  }
}

export function adamStep(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  n: i32,
  stepSize: f32,
  fresh1: f32,
  beta2: f32,
  fresh2: f32,
  correction2: f32,
  eps: f32,
  decay: f32,
  keep: f32,
): void {
  const steps = f32x4.splat(stepSize);
  const shares1 = f32x4.splat(fresh1);
  const betas2 = f32x4.splat(beta2);
  const shares2 = f32x4.splat(fresh2);
  const corrections2 = f32x4.splat(correction2);
  const epses = f32x4.splat(eps);
  const decays = f32x4.splat(decay);
  const keeps = f32x4.splat(keep);
  let i = 0;
  for (; i + 4 <= n; i += 4, p += 16, g += 16, m += 16, v += 16) {
    const x = v128.load(p);
    const d = f32x4.add(v128.load(g), f32x4.mul(decays, x));
    const m0 = v128.load(m);
    const m1 = f32x4.add(m0, f32x4.mul(shares1, f32x4.sub(d, m0)));
    const v1 = f32x4.add(
      f32x4.mul(betas2, v128.load(v)),
      f32x4.mul(f32x4.mul(shares2, d), d),
    );
    v128.store(m, m1);
    v128.store(v, v1);
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v1), corrections2), epses);
    const update = f32x4.div(f32x4.mul(steps, m1), denominator);
    v128.store(p, f32x4.sub(f32x4.mul(keeps, x), update));
  }
  for (; i < n; i++, p += 4, g += 4, m += 4, v += 4) {
    const x = load<f32>(p);
    const d: f32 = load<f32>(g) + decay * x;
    const m0 = load<f32>(m);
    const m1: f32 = m0 + fresh1 * (d - m0);
    const v1: f32 = beta2 * load<f32>(v) + fresh2 * d * d;
    store<f32>(m, m1);
    store<f32>(v, v1);
    const denominator: f32 = sqrt<f32>(v1) / correction2 + eps;
    store<f32>(p, keep * x - (stepSize * m1) / denominator);
  }
}

export function lionStep(
  p: usize,
  g: usize,
  m: usize,
  n: i32,
  learningRate: f32,
  beta1: f32,
  fresh1: f32,
  beta2: f32,
  fresh2: f32,
  keep: f32,
): void {
  const rates = f32x4.splat(learningRate);
  const betas1 = f32x4.splat(beta1);
  const shares1 = f32x4.splat(fresh1);
  const betas2 = f32x4.splat(beta2);
  const shares2 = f32x4.splat(fresh2);
  const keeps = f32x4.splat(keep);
  const zero = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, p += 16, g += 16, m += 16) {
    const d = v128.load(g);
    const m0 = v128.load(m);
    const direction = f32x4.add(f32x4.mul(betas1, m0), f32x4.mul(shares1, d));
    const up = v128.and(f32x4.gt(direction, zero), rates);
    const down = v128.and(f32x4.lt(direction, zero), rates);
    v128.store(p, f32x4.sub(f32x4.mul(keeps, v128.load(p)), f32x4.sub(up, down)));
    v128.store(m, f32x4.add(f32x4.mul(betas2, m0), f32x4.mul(shares2, d)));
  }
  for (; i < n; i++, p += 4, g += 4, m += 4) {
    const d = load<f32>(g);
    const m0 = load<f32>(m);
    const direction: f32 = beta1 * m0 + fresh1 * d;
    const up: f32 = direction > 0 ? learningRate : 0;
    const down: f32 = direction < 0 ? learningRate : 0;
    store<f32>(p, keep * load<f32>(p) - (up - down));
    store<f32>(m, beta2 * m0 + fresh2 * d);
  }
}
