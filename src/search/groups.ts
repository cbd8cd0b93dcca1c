/** @file Nodes in groups, for models that have more of them than there may be measurements. */
import type { SearchNode } from "./trial.ts";

const MAX_GROUPS = 16;

/** The most groups whose measurements, with those of a bisection over them and of halving one, are not too many. */
export function groupCount(nodes: number, evaluations: number): number {
  const needed = (count: number) =>
    count + Math.ceil(Math.log2(count)) + (count > 2 && count < nodes ? 2 : 0);
  let count = Math.min(nodes, MAX_GROUPS);
  while (count > 1 && needed(count) > evaluations) count--;
  return count;
}

/** Neighbours together, of about as many bytes each; none is empty. */
export function grouped(nodes: readonly SearchNode[], count: number): SearchNode[][] {
  const groups: SearchNode[][] = [];
  let rest = nodes.reduce((sum, { bytes }) => sum + bytes, 0);
  let at = 0;
  for (let left = Math.min(count, nodes.length); left > 0; left--) {
    const group: SearchNode[] = [];
    let bytes = 0;
    // One node for each of the groups that follow has to stay.
    while (at <= nodes.length - left) {
      const node = nodes[at];
      const isFull = group.length > 0 && left > 1 && bytes + (node?.bytes ?? 0) / 2 > rest / left;
      if (!node || isFull) break;
      group.push(node);
      bytes += node.bytes;
      at++;
    }
    rest -= bytes;
    groups.push(group);
  }
  return groups;
}

/** @param nodes at least two */
export function halves(nodes: readonly SearchNode[]): [SearchNode[], SearchNode[]] {
  const [first = [], second = []] = grouped(nodes, 2);
  return [first, second];
}
