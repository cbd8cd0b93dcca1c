/** @file Transposes that follow each other become one. */
import { intsAttribute, makeInts } from "../../graph/attributes.ts";
import type { Node } from "../../onnx/model.ts";
import type { Pass } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** The first of two stays where others read it. */
export const mergeTransposes: Pass = ({ model, types }) => {
  const wiring = new Wiring(model);
  let count = 0;
  for (const { node } of wiring.each("Transpose")) {
    const inner = wiring.producer(node.inputs[0], "Transpose");
    const source = inner?.inputs[0];
    if (!inner || !source) continue;
    const rank = types.shape(source)?.length;
    const [first, second] = [permutation(inner, rank), permutation(node, rank)];
    if (!first || first.length !== second?.length) continue;
    // out.dims[i] = middle.dims[second[i]] = in.dims[first[second[i]]]
    const merged = makeInts(
      "perm",
      second.map((axis) => first[axis] ?? axis),
    );
    node.attributes = [...node.attributes.filter(({ name }) => name !== "perm"), merged];
    wiring.setInput(node, 0, source);
    wiring.sweep(inner);
    count++;
  }
  wiring.commit();
  return count;
};

/** Without an attribute, the dimensions are reversed. */
function permutation(node: Node, rank: number | undefined): number[] | undefined {
  const reversed = rank === undefined ? undefined : [...Array(rank).keys()].toReversed();
  return intsAttribute(node, "perm") ?? reversed;
}
