/**
 * @file N:M sparsity: of each `m` neighbours the `keep` largest magnitudes stay.
 *
 * An element's rank is how many go before it: larger ones, and equal ones at a lower index.
 */
import { MAGNITUDE, MAGNITUDES, held } from "./lanes";

/** For neighbours 1, 2 and 3 lanes on: 1 where the neighbour's index is lower than the lane's own. */
const EARLIER_1 = v128.and(held(1), i32x4(0, 0, 0, -1));
const EARLIER_2 = v128.and(held(1), i32x4(0, 0, -1, -1));
const EARLIER_3 = v128.and(held(1), i32x4(0, -1, -1, -1));

/** Which elements of a group go; groups have at most 4096. */
const goes = memory.data(4096);

export function pruneNM(x: usize, n: i32, keep: i32, m: i32): void {
  let i = 0;
  if (m == 4) {
    for (; i + 4 <= n; i += 4, x += 16) pruneFour(x, keep);
  }
  for (; i < n; i += m, x += (<usize>m) << 2) pruneGroup(x, min(m, n - i), keep);
}

/** Counts in each lane whether its neighbour goes before it; `earlier` is 1 where that one's index is lower. */
@inline
function before(rank: v128, a: v128, neighbour: v128, earlier: v128): v128 {
  return i32x4.sub(rank, i32x4.gt_s(neighbour, i32x4.sub(a, earlier)));
}

@inline
function pruneFour(x: usize, keep: i32): void {
  const v = v128.load(x);
  const a = v128.and(v, MAGNITUDES);
  let rank = i32x4.splat(0);
  rank = before(rank, a, i32x4.shuffle(a, a, 1, 2, 3, 0), EARLIER_1);
  rank = before(rank, a, i32x4.shuffle(a, a, 2, 3, 0, 1), EARLIER_2);
  rank = before(rank, a, i32x4.shuffle(a, a, 3, 0, 1, 2), EARLIER_3);
  v128.store(x, v128.and(v, i32x4.lt_s(rank, i32x4.splat(keep))));
}

function pruneGroup(x: usize, m: i32, keep: i32): void {
  for (let i = 0; i < m; i++) {
    const a = magnitude(x, i);
    let rank = 0;
    for (let j = 0; j < i; j++) rank += <i32>(magnitude(x, j) >= a);
    for (let j = i + 1; j < m; j++) rank += <i32>(magnitude(x, j) > a);
    store<u8>(goes + <usize>i, <u8>(rank >= keep));
  }
  for (let i = 0; i < m; i++) {
    if (load<u8>(goes + <usize>i)) store<i32>(x + ((<usize>i) << 2), 0);
  }
}

@inline
function magnitude(x: usize, i: i32): i32 {
  return load<i32>(x + ((<usize>i) << 2)) & MAGNITUDE;
}
