/**
 * @file Each SIMD kernel against its plain TypeScript definition: CPU seconds a gigabyte of float32.
 *
 * Pairs run in turn, medians of five. The definitions are written to be read, not for speed.
 * The last line on stdout is JSON.
 */
import { CASES, COUNT, FEW } from "./kernel-cases.ts";

const ROUNDS = 5;
const MIN_CPU_US = 15_000;

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** CPU seconds a gigabyte, over as many calls as fill `MIN_CPU_US`. */
function secondsPerGb(call: () => unknown, count: number): number {
  const start = cpuMicroseconds();
  let calls = 0;
  let spent = 0;
  while (spent < MIN_CPU_US) {
    call();
    calls++;
    spent = cpuMicroseconds() - start;
  }
  return spent / 1e6 / ((calls * count * 4) / 1e9);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

const rows = CASES.map(({ name, kernel, definition }) => {
  const ours: number[] = [];
  const theirs: number[] = [];
  // the first round compiles
  for (let round = 0; round <= ROUNDS; round++) {
    const pair = [secondsPerGb(kernel, COUNT), secondsPerGb(definition, FEW)] as const;
    if (round === 0) continue;
    ours.push(pair[0]);
    theirs.push(pair[1]);
  }
  const row = {
    case: name,
    ours_s: Number(median(ours).toPrecision(4)),
    peer: "plain TypeScript definition",
    peer_s: Number(median(theirs).toPrecision(4)),
    speedup: Number(median(theirs.map((seconds, i) => seconds / (ours[i] ?? NaN))).toPrecision(3)),
    ours_gb_s: Number((1 / median(ours)).toPrecision(3)),
    peer_gb_s: Number((1 / median(theirs)).toPrecision(3)),
  };
  console.error(
    `${name.padEnd(34)} ${row.ours_gb_s.toFixed(2).padStart(7)} GB/s  ${row.peer_gb_s.toFixed(3)} GB/s  ${row.speedup.toFixed(1)}×`,
  );
  return row;
});

console.log(JSON.stringify({ bench: "kernels", unit: "CPU seconds a GB of float32", rows }));
