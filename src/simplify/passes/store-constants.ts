/** @file Constant nodes become initializers. */
import { constantTensor } from "../../graph/constants.ts";
import type { Pass } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** What a graph hands out directly stays a node: not every runtime takes an initializer for an output. */
export const storeConstants: Pass = ({ model }) => {
  const wiring = new Wiring(model);
  let count = 0;
  for (const { node, graph } of wiring.each("Constant")) {
    const [name = ""] = node.outputs;
    const tensor = constantTensor(node);
    if (!tensor || wiring.isOutput(name)) continue;
    wiring.remove(node);
    wiring.store(graph, { ...tensor, name });
    count++;
  }
  wiring.commit();
  return count;
};
