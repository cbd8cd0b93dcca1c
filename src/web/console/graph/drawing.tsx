/** @file The layers of a neighbourhood as SVG; every box is a link. */
import { to } from "../router.ts";
import { type IndexedNode, titleOf } from "./graph-index.ts";
import type { Layered } from "./neighbourhood.ts";

const BOX = { width: 150, height: 46 };
const GAP = { x: 20, y: 34 };
const MARGIN = 4;

export function Drawing({
  modelId,
  layered: { layers, edges, left },
  centre,
  query,
}: {
  modelId: string;
  layered: Layered;
  centre: IndexedNode;
  query: string;
}) {
  const widest = Math.max(...layers.map(({ length }) => length));
  const width = widest * (BOX.width + GAP.x) - GAP.x + 2 * MARGIN;
  const height = layers.length * (BOX.height + GAP.y) - GAP.y + 2 * MARGIN;
  const places = new Map(
    layers.flatMap((layer, row) => {
      const start = (width - (layer.length * (BOX.width + GAP.x) - GAP.x)) / 2;
      return layer.map((node, column) => [
        node.index,
        {
          x: start + column * (BOX.width + GAP.x),
          y: MARGIN + row * (BOX.height + GAP.y),
        },
      ]);
    }),
  );
  return (
    <div class="scroll" role="region" aria-label="The node with those around it" tabIndex={0}>
      <svg width={width} height={height} class="graph">
        {edges.map(({ from, to: end }) => {
          const a = places.get(from);
          const b = places.get(end);
          return a && b && <path key={`${from}-${end}`} class="edge" d={curve(a, b)} />;
        })}
        {layers.flat().map((node) => {
          const { x, y } = places.get(node.index) ?? { x: 0, y: 0 };
          const chosen = node.index === centre.index;
          return (
            <a
              key={node.index}
              href={to(["models", modelId, "graph"], nodeQuery(node, query))}
              aria-current={chosen ? "true" : undefined}
              aria-label={`${node.op_type} ${titleOf(node)}`}
            >
              <rect
                class={chosen ? "box chosen" : "box"}
                x={x}
                y={y}
                width={BOX.width}
                height={BOX.height}
                rx="6"
              />
              <text class="op" x={x + 10} y={y + 19}>
                {node.op_type}
              </text>
              <text class="name" x={x + 10} y={y + 36}>
                {shortened(titleOf(node))}
              </text>
            </a>
          );
        })}
      </svg>
      {left > 0 && <p class="faint">{left} more are not drawn.</p>}
    </div>
  );
}

export const nodeQuery = ({ index }: IndexedNode, query: string): Record<string, string> => ({
  node: String(index),
  ...(query ? { q: query } : {}),
});

interface Place {
  x: number;
  y: number;
}

function curve(from: Place, end: Place): string {
  const [x1, y1] = [from.x + BOX.width / 2, from.y + BOX.height];
  const [x2, y2] = [end.x + BOX.width / 2, end.y];
  const bend = Math.max(GAP.y / 2, Math.abs(y2 - y1) / 2);
  return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
}

/** The end of a name says more than its beginning. */
const shortened = (name: string) => (name.length <= 21 ? name : `…${name.slice(-20)}`);
