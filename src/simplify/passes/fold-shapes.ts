/** @file Sizes that a model computes and that follow from its inputs' declared ones become constants. */
import { intAttribute } from "../../graph/attributes.ts";
import { makeInt64, makeTensor } from "../../graph/build.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import { bytesOf, replaceByResults, worthFolding } from "../folding.ts";
import type { Pass, Subject } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/**
 * Shape, and what is computed of it in whole numbers (Gather, Concat, Mul, Equal …), where all of it is known; and
 * the target of a Reshape where all but one size is: that one becomes −1, a size that stays as it is 0.
 */
export const foldShapes: Pass = (subject) => {
  const { model, types, foldConstantsLimit } = subject;
  const wiring = new Wiring(model);
  const known = new Map<Node, Map<string, Tensor>>();
  for (const { node } of wiring.each()) {
    if (node.opType === "Constant") continue;
    const results = knownResults(node, subject);
    if (results) known.set(node, results);
  }
  const size = (name: string) => bytesOf(types, name);
  const chosen = worthFolding(known.keys(), wiring, size, foldConstantsLimit);
  let count = 0;
  for (const { node, graph } of wiring.each()) {
    const results = chosen.has(node) ? known.get(node) : undefined;
    if (!results) continue;
    replaceByResults(node, results, graph, wiring);
    count++;
  }
  for (const { node, graph } of wiring.each("Reshape")) {
    const target = reshapeTarget(node, subject, wiring);
    // A shape that others read too would stay, and this one be one more.
    if (!target || ![...wiring.readers(node.inputs[1] ?? "")].every(isReshape)) continue;
    const name = wiring.fresh(`${node.inputs[1]}.folded`);
    const before = wiring.producer(node.inputs[1]);
    wiring.store(graph, makeInt64(name, target));
    wiring.setInput(node, 1, name);
    if (before) wiring.sweep(before);
    count++;
  }
  wiring.commit();
  return count;
};

/** All outputs, where each is a known vector or scalar of whole numbers. */
function knownResults(node: Node, { types }: Subject): Map<string, Tensor> | undefined {
  const results = new Map<string, Tensor>();
  for (const name of node.outputs) {
    if (!name) continue;
    const value = types.value(name);
    const shape = types.shape(name);
    if (!value?.every((element) => typeof element === "number")) return undefined;
    if (!shape || shape.length > 1 || (shape.length === 0 && value.length !== 1)) return undefined;
    const tensor = integerTensor(name, types.elementType(name), value, shape.length);
    if (!tensor) return undefined;
    results.set(name, tensor);
  }
  return results.size > 0 ? results : undefined;
}

function integerTensor(
  name: string,
  type: number | undefined,
  value: number[],
  rank: number,
): Tensor | undefined {
  const dims = rank === 0 ? [] : [value.length];
  switch (type) {
    case DataType.int64:
      return value.every(Number.isSafeInteger) ? makeInt64(name, value, rank === 0) : undefined;
    case DataType.int32:
      if (!value.every((element) => element === (element | 0))) return undefined;
      return makeTensor(name, type, dims, new Uint8Array(Int32Array.from(value).buffer));
    case DataType.bool:
      return makeTensor(name, type, dims, Uint8Array.from(value, Number));
    default:
      return undefined;
  }
}

const isReshape = ({ opType, domain }: Node): boolean => opType === "Reshape" && domain === "";

/** The sizes as Reshape takes them; `undefined` where they are constant already, or more than one is open. */
function reshapeTarget(node: Node, { types }: Subject, wiring: Wiring): number[] | undefined {
  const [data, shape = ""] = node.inputs;
  const value = types.value(shape);
  if (!value || wiring.constant(shape) || intAttribute(node, "allowzero", 0) === 1)
    return undefined;
  const source = types.shape(data);
  const target = value.map((element, axis) => {
    if (typeof element === "number") return element;
    return element !== undefined && element === source?.[axis] ? 0 : -1;
  });
  return target.filter((size) => size < 0).length > 1 ? undefined : target;
}
