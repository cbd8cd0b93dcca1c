/** @file If nodes whose condition is constant give way to the branch that it chooses. */
import { attributeValue } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import { tensorNumbers } from "../../graph/constants.ts";
import type { Pass } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** An If directly in a branch that is chosen moves with it, and is looked at in the next round. */
export const inlineIf: Pass = async ({ model }) => {
  const wiring = new Wiring(model);
  let count = 0;
  for (const { node, graph } of wiring.each("If")) {
    const condition = wiring.constant(node.inputs[0]);
    const chosen = condition && (await tensorNumbers(condition))?.[0];
    if (chosen === undefined) continue;
    const branch = attributeValue(node, chosen ? "then_branch" : "else_branch", "graph");
    if (!branch || branch.outputs.length < node.outputs.length) continue;
    const results = node.outputs.flatMap((name, i) =>
      name ? [makeNode("Identity", [branch.outputs[i]?.name ?? ""], [name])] : [],
    );
    wiring.replace(node, [...branch.nodes, ...results], graph);
    for (const tensor of branch.initializers.values()) wiring.store(graph, tensor);
    graph.sparseInitializers.push(...branch.sparseInitializers);
    count++;
  }
  wiring.commit();
  return count;
};
