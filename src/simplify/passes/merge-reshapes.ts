/** @file Reshape, Flatten, Squeeze and Unsqueeze that follow each other become one Reshape, or none. */
import { intAttribute } from "../../graph/attributes.ts";
import { makeInt64, makeNode, opsetVersion } from "../../graph/build.ts";
import { tensorNumbers } from "../../graph/constants.ts";
import type { Dimension, Node } from "../../onnx/model.ts";
import type { Pass } from "../pass.ts";
import { Wiring } from "../wiring.ts";

const RESHAPING = ["Reshape", "Flatten", "Squeeze", "Unsqueeze"];
/** Reshape takes its shape as an input from here on. */
const SHAPE_INPUT_OPSET = 5;

export const mergeReshapes: Pass = async ({ model, types }) => {
  if ((opsetVersion(model) ?? 1) < SHAPE_INPUT_OPSET) return 0;
  const wiring = new Wiring(model);
  let count = 0;
  for (const { node, graph } of wiring.each(...RESHAPING)) {
    const [output = "", input = ""] = [node.outputs[0], node.inputs[0]];
    const inner = wiring.producer(input, ...RESHAPING);
    const source = inner?.inputs[0];
    if (!inner || !source) continue;
    if (types.sameShape(source, output) && wiring.canSubstitute(output, source)) {
      wiring.substitute(output, source);
      wiring.remove(node);
      count++;
      continue;
    }
    if (wiring.readerCount(input) > 1 || wiring.isOutput(input)) continue;
    if (await isAbsolute(node, wiring)) {
      wiring.setInput(node, 0, source);
      wiring.sweep(inner);
      count++;
      continue;
    }
    const target = openTarget(types.shape(output));
    if (!target) continue;
    const shape = wiring.fresh(`${output}.shape`);
    wiring.store(graph, makeInt64(shape, target));
    const reshape = makeNode("Reshape", [source, shape], [output], { name: node.name });
    wiring.replace(node, [reshape], graph);
    count++;
  }
  wiring.commit();
  return count;
};

/** A Reshape to constant sizes, none of which is copied from its input. */
async function isAbsolute(node: Node, wiring: Wiring): Promise<boolean> {
  const tensor = node.opType === "Reshape" ? wiring.constant(node.inputs[1]) : undefined;
  const sizes = tensor && (await tensorNumbers(tensor));
  if (!sizes) return false;
  return !sizes.includes(0) || intAttribute(node, "allowzero", 0) === 1;
}

/** Sizes as Reshape takes them: −1 for the one that is open. `undefined` where more are, or one is 0. */
function openTarget(shape: readonly Dimension[] | undefined): number[] | undefined {
  const target = shape?.map((dim) => (typeof dim === "number" ? dim : -1));
  if (!target || target.includes(0)) return undefined;
  return target.filter((dim) => dim < 0).length > 1 ? undefined : target;
}
