/** @file `npm run bench -- NAME`: runs one benchmark; progress on stderr, the last line on stdout is its JSON. */
const BENCHES: Readonly<Record<string, () => Promise<unknown>>> = {
  api: () => import("./api.ts"),
  allreduce: () => import("./allreduce.ts"),
  compress: () => import("./compress.ts"),
  kernels: () => import("./kernels.ts"),
  large: () => import("./large.ts"),
  load: () => import("./load.ts"),
  reading: () => import("./reading.ts"),
  runner: () => import("./runner.ts"),
  scaling: () => import("./scaling.ts"),
  step: () => import("./step.ts"),
};

const name = process.argv[2] ?? "";
const bench = BENCHES[name];
if (!bench) {
  console.error(`bench: "${name}" is none of ${Object.keys(BENCHES).join(", ")}`);
  process.exitCode = 2;
} else await bench();

export {};
