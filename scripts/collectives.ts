/**
 * @file Simulates allreduces of 2 to 1,024 ranks over three links, and writes docs/collectives.md and its chart.
 *
 * `node scripts/collectives.ts` simulates what docs/collectives.json does not hold yet (minutes for the largest
 * groups, whose messages are counted in millions) and renders; `--render` only renders. Then `npm run fix`.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath, URL } from "node:url";
import {
  allreduceMs,
  chooseAlgorithm,
  chooseLocalSteps,
  type Algorithm,
} from "../src/collectives/choose.ts";
import { LINKS, type LinkName } from "../src/collectives/link.ts";
import { simulateAllreduce } from "../src/collectives/simulator/simulate.ts";
import { defaultChunkBytes } from "../src/collectives/segments.ts";
import { Arena } from "../src/kernels/arena.ts";
import { kernelModule } from "../src/kernels/node.ts";
import { collectivesChart } from "./collectives-chart.ts";

const DOCS = new URL("../docs/", import.meta.url);
const NAMES: readonly LinkName[] = ["machine", "region", "world"];
const ALGORITHMS: readonly Algorithm[] = ["direct", "ring"];
const RANKS = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/** Of float32 vectors: 100 thousand, 1 million and 10 million parameters. */
const BYTES = [400_000, 4_000_000, 40_000_000];
/**
 * What is simulated: a message takes 50 µs and, while all are under way at once, 6 KB, so that 1,024 ranks are minutes and
 * 13 GB (`node --max-old-space-size=12000`). The rest is left to the formulas.
 */
const MOST_MESSAGES = 2_200_000;
const STEP_MS = 100;
const UNEVEN = { worldSize: 64, bytes: 4_000_000 };

export interface Simulated {
  readonly link: LinkName;
  readonly bytes: number;
  readonly worldSize: number;
  readonly algorithm: Algorithm;
  readonly ms: number;
}

interface Disturbed {
  readonly link: LinkName;
  readonly algorithm: Algorithm;
  readonly even: number;
  readonly straggler: number;
  readonly loss: number;
}

interface Results {
  readonly allreduces: Simulated[];
  readonly disturbed: Disturbed[];
}

await mkdir(DOCS, { recursive: true });
const stored = new URL("collectives.json", DOCS);
const results = await readFile(stored, "utf8").then(
  (text) => JSON.parse(text) as Results,
  (): Results => ({ allreduces: [], disturbed: [] }),
);
if (!process.argv.includes("--render")) await simulateRest(results);
await writeFile(
  new URL("collectives.svg", DOCS),
  collectivesChart(
    results.allreduces.filter(({ bytes }) => bytes === 4_000_000),
    STEP_MS,
  ),
);
await writeFile(new URL("collectives.md", DOCS), page(results));
console.log(fileURLToPath(new URL("collectives.md", DOCS)));

async function simulateRest(known: Results): Promise<void> {
  const arena = await Arena.create(await kernelModule(), 1 << 20);
  const common = { arena, idle: () => setImmediate<void>(undefined) };
  const rows: Omit<Simulated, "ms">[] = NAMES.flatMap((link) =>
    BYTES.flatMap((bytes) =>
      RANKS.flatMap((worldSize) =>
        ALGORITHMS.map((algorithm) => ({ link, bytes, worldSize, algorithm })),
      ),
    ),
  );
  for (const row of rows.toSorted((a, b) => messages(a) - messages(b))) {
    if (messages(row) > MOST_MESSAGES || simulated(known, row) !== undefined) continue;
    const { ms } = await simulateAllreduce({ ...row, link: LINKS[row.link], ...common });
    known.allreduces.push({ ...row, ms: Number(ms.toPrecision(3)) });
    console.error(row);
    await store(known);
  }
  if (known.disturbed.length > 0) return;
  for (const link of NAMES) {
    for (const algorithm of ALGORITHMS) {
      const config = { algorithm, ...UNEVEN, link: LINKS[link], ...common };
      const run = async (more: object) =>
        Number((await simulateAllreduce({ ...config, ...more })).ms.toPrecision(3));
      known.disturbed.push({
        link,
        algorithm,
        even: await run({}),
        straggler: await run({ slowdown: (rank: number) => (rank === 5 ? 4 : 1) }),
        loss: await run({ loss: { part: 0.01, resendMs: 200, seed: 1 } }),
      });
    }
  }
  await store(known);
}

/** Of all ranks together. */
function messages({ algorithm, bytes, worldSize }: Omit<Simulated, "ms">): number {
  const chunk = defaultChunkBytes(algorithm, worldSize);
  return 2 * worldSize * (worldSize - 1) * Math.max(1, Math.floor(bytes / worldSize / chunk));
}

function simulated(known: Results, wanted: Omit<Simulated, "ms">): number | undefined {
  return known.allreduces.find(
    ({ link, bytes, worldSize, algorithm }) =>
      link === wanted.link &&
      bytes === wanted.bytes &&
      worldSize === wanted.worldSize &&
      algorithm === wanted.algorithm,
  )?.ms;
}

async function store({ allreduces, disturbed }: Results): Promise<void> {
  const lines = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).join(",\n");
  const text = `{"allreduces":[\n${lines(allreduces)}\n],"disturbed":[\n${lines(disturbed)}\n]}\n`;
  await writeFile(stored, text);
}

function page(known: Results): string {
  const tables = NAMES.map((link) => {
    const lines = RANKS.map((worldSize) => {
      const cells = BYTES.map((bytes) => {
        const chosen = chooseAlgorithm(worldSize, bytes, LINKS[link]);
        const [direct, ring] = ALGORITHMS.map((algorithm) => {
          const ms = simulated(known, { link, bytes, worldSize, algorithm });
          const estimate = allreduceMs(algorithm, worldSize, bytes, LINKS[link]);
          const text = ms === undefined ? `≈ ${shown(estimate)}` : shown(ms);
          return algorithm === chosen ? `**${text}**` : text;
        });
        return `${direct} | ${ring} | ${chooseLocalSteps(STEP_MS, worldSize, bytes, LINKS[link])}`;
      });
      return `| ${worldSize} | ${cells.join(" | ")} |`;
    });
    const { latencyMs, bytesPerMs, messageMs, regions, regionLatencyMs, regionBytesPerMs } =
      LINKS[link];
    const between =
      regions > 1
        ? `; ${regions} regions, ${regionLatencyMs} ms and ${rate(regionBytesPerMs)} between them`
        : "";
    return `## ${link}

${latencyMs} ms, ${rate(bytesPerMs)} a rank, ${messageMs} ms a message and side${between}.

| ranks | 0.4 MB: direct | ring | H | 4 MB: direct | ring | H | 40 MB: direct | ring | H |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join("\n")}
`;
  });
  const uneven = known.disturbed.map(
    ({ link, algorithm, even, straggler, loss }) =>
      `| ${link} | ${algorithm} | ${shown(even)} | ${shown(straggler)} | ${shown(loss)} |`,
  );
  return `# Allreduce over links: direct, ring, local steps

Milliseconds of one allreduce, simulated: the code in \`src/collectives\` itself, over a model of the link, in
virtual time. Written by \`scripts/collectives.ts\`; the formulas in \`src/collectives/choose.ts\` follow these
figures, and a test holds them together. **Bold** is what is chosen unless an option names the algorithm: the ring
where the formulas say it is a tenth faster. H is the number of local steps of ${STEP_MS} ms each after which an
allreduce takes a tenth of the time (1: local steps gain nothing). ≈ is a formula's figure, where the messages would
be too many to simulate.

![allreduce of 4 MB over three links](collectives.svg)

${tables.join("\n")}
## Stragglers and losses

${UNEVEN.worldSize} ranks, 4 MB: undisturbed; one rank four times slower; one message in a hundred lost and sent
again after 200 ms.

| link | algorithm | even | straggler | loss |
| --- | --- | ---: | ---: | ---: |
${uneven.join("\n")}

## What follows

${conclusions()}

The model gives every rank a processor and a network port of its own. Ranks that share an isolate share one thread, and
read each other's memory in place: \`npm run bench -- allreduce\` measures those.
`;
}

function conclusions(): string {
  const faster = (link: LinkName, bytes: number) => {
    const ranks = RANKS.filter(
      (worldSize) => chooseAlgorithm(worldSize, bytes, LINKS[link]) === "ring",
    );
    return ranks.length === 0 ? "nowhere" : `at ${ranks.join(", ")} ranks`;
  };
  const half = (link: LinkName, bytes: number) => {
    const worldSize = RANKS.find((ranks) => {
      const algorithm = chooseAlgorithm(ranks, bytes, LINKS[link]);
      return allreduceMs(algorithm, ranks, bytes, LINKS[link]) > STEP_MS;
    });
    return worldSize === undefined ? "never" : `from ${worldSize} ranks on`;
  };
  return NAMES.map((link) => {
    const [, medium = 0, large = 0] = BYTES;
    return `- \`${link}\`: the ring is a tenth faster ${faster(link, medium)} with 4 MB, and ${faster(link, large)} with 40 MB. Synchronous steps of ${STEP_MS} ms spend more than half of their time in the allreduce ${half(link, medium)} with 4 MB, and ${half(link, large)} with 40 MB: from there on local SGD is the faster mode.`;
  }).join("\n");
}

function shown(ms: number): string {
  return ms >= 1000 ? String(Math.round(ms)) : String(Number(ms.toPrecision(3)));
}

function rate(bytesPerMs: number): string {
  return `${bytesPerMs / 1e6} GB/s`;
}
