/** @file The chart of docs/collectives.md: time over ranks, both on logarithmic axes, a panel for each link. */
import type { Simulated } from "./collectives.ts";

const PANEL = { width: 250, height: 220, left: 50, top: 36, gap: 24 };
const RANGE = { ranks: [2, 1024], ms: [0.5, 20_000] } as const;
const COLOURS = { direct: "#1668b8", ring: "#c4501b" } as const;
const GRID = "#d0d4da";
const TEXT = "#444c56";

/** @param stepMs drawn as a line: above it, synchronous steps of that length spend most of their time waiting */
export function collectivesChart(rows: readonly Simulated[], stepMs: number): string {
  const links = [...new Set(rows.map(({ link }) => link))];
  const width = PANEL.left + links.length * (PANEL.width + PANEL.gap);
  const height = PANEL.top + PANEL.height + 44;
  const panels = links.map((link, i) => {
    const left = PANEL.left + i * (PANEL.width + PANEL.gap);
    const mine = rows.filter((row) => row.link === link);
    return panel(link, left, mine, stepMs, i === 0);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11" fill="${TEXT}">
<rect width="100%" height="100%" fill="#fff"/>
${panels.join("\n")}
</svg>
`;
}

function panel(
  link: string,
  left: number,
  rows: readonly Simulated[],
  stepMs: number,
  first: boolean,
): string {
  const x = (ranks: number) => round(left + PANEL.width * part(ranks, RANGE.ranks));
  const y = (ms: number) => round(PANEL.top + PANEL.height * (1 - part(ms, RANGE.ms)));
  const [bottom, right] = [PANEL.top + PANEL.height, left + PANEL.width];
  const horizontal = [1, 10, 100, 1000, 10_000].map(
    (ms) =>
      `<path d="M${left} ${y(ms)}H${right}" stroke="${GRID}"/>${
        first ? `<text x="${left - 6}" y="${y(ms) + 4}" text-anchor="end">${ms}</text>` : ""
      }`,
  );
  const vertical = [2, 8, 32, 128, 512].map(
    (ranks) =>
      `<path d="M${x(ranks)} ${PANEL.top}V${bottom}" stroke="${GRID}"/><text x="${x(ranks)}" y="${bottom + 15}" text-anchor="middle">${ranks}</text>`,
  );
  const lines = (["direct", "ring"] as const).map((algorithm, i) => {
    const points = rows
      .filter((row) => row.algorithm === algorithm)
      .map((row) => `${x(row.worldSize)},${y(row.ms)}`);
    const colour = COLOURS[algorithm];
    return `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/><text x="${left + 8}" y="${PANEL.top + 16 + 14 * i}" fill="${colour}">${algorithm}</text>`;
  });
  return `<g>${[...horizontal, ...vertical].join("")}
<path d="M${left} ${y(stepMs)}H${right}" stroke="${TEXT}" stroke-dasharray="4 3"/>
${lines.join("\n")}
<text x="${left + PANEL.width / 2}" y="${PANEL.top - 12}" text-anchor="middle" font-size="13">${link}</text>
<text x="${left + PANEL.width / 2}" y="${bottom + 32}" text-anchor="middle">ranks</text>
${first ? `<text x="${left - 6}" y="${PANEL.top - 12}" text-anchor="end">ms</text>` : ""}</g>`;
}

function part(value: number, [from, to]: readonly [number, number]): number {
  return Math.log(value / from) / Math.log(to / from);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
