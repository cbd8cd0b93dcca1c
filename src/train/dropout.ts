/**
 * @file Dropout whose masks follow from a seed that is fed, so that a step repeats bit for bit anywhere.
 *
 * ONNX's Dropout draws from a generator that the session keeps, which no checkpoint holds. Here element i
 * is kept where a hash of (seed, node, i) is large enough; the hash is int32 arithmetic, which all of
 * ONNX Runtime's back ends have and which wraps alike.
 */
import { makeInt } from "../graph/attributes.ts";
import { makeTensor } from "../graph/build.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Node } from "../onnx/model.ts";
import { type ForwardGraph, tensorInfo } from "./forward-graph.ts";
import { SEED } from "./step-plan.ts";

/** 2^32 / golden ratio, and two other odd constants without pattern. */
const PER_ELEMENT = 0x9e3779b1 | 0;
const PER_SEED = 0x85ebca6b | 0;
const PER_NODE = 0xc2b2ae35 | 0;
const ROUNDS = 3;

/** Replaces Dropout by a product with a mask, and declares the seed's input where there is one. */
export function seedDropout(forward: ForwardGraph): void {
  const { emitter, model } = forward;
  let count = 0;
  forward.rewrite((node) => {
    if (node.opType !== "Dropout" || node.domain !== "") return true;
    const ratio = emitter.numbers(node.inputs[1])?.[0] ?? 0.5;
    replaceByMask(forward, node, ratio, ++count);
    return false;
  });
  if (count > 0) model.graph.inputs.push(tensorInfo(SEED, DataType.int64, [1]));
}

/** Replaces Dropout by Identity, as in inference. */
export function removeDropout(forward: ForwardGraph): void {
  forward.rewrite((node) => {
    if (node.opType !== "Dropout" || node.domain !== "" || node.outputs[1]) return true;
    forward.emitter.emit("Identity", [node.inputs[0]]);
    forward.nameLast(node.outputs[0] ?? "");
    return false;
  });
}

function replaceByMask(forward: ForwardGraph, node: Node, ratio: number, salt: number): void {
  const { emitter } = forward;
  const [x = ""] = node.inputs;
  const [y = "", maskOutput] = node.outputs;
  const hash = hashOfIndices(forward, x, salt);
  const threshold = Math.min(2 ** 31 - 1, Math.round(-(2 ** 31) + ratio * 2 ** 32));
  const kept = emitter.emit("GreaterOrEqual", [hash, int32(forward, threshold)]);
  const shaped = emitter.reshapeLike(kept, x);
  if (maskOutput) {
    emitter.emit("Identity", [shaped]);
    forward.nameLast(maskOutput);
  }
  const mask = emitter.emit("Cast", [shaped], [makeInt("to", emitter.elementType(x) ?? 1)]);
  const scale = ratio < 1 ? 1 / (1 - ratio) : 0;
  emitter.emit("Mul", [x, emitter.emit("Mul", [mask, emitter.float(scale)])]);
  forward.nameLast(y);
}

/** int32 [elements of x], each bit even odds: an index times a constant, mixed by h·(2h + 1), RC6's permutation. */
function hashOfIndices(forward: ForwardGraph, x: string, salt: number): string {
  const { emitter } = forward;
  const toInt32 = [makeInt("to", DataType.int32)];
  const constant = (value: number): string => int32(forward, value);
  const mix = (h: string): string => {
    const factor = emitter.emit("Add", [emitter.emit("Add", [h, h]), constant(1)]);
    return emitter.emit("Mul", [h, factor]);
  };
  // The upper bits depend on all lower ones; adding them below lets the next round spread them.
  const fold = (h: string): string =>
    emitter.emit("Add", [h, emitter.emit("Div", [h, constant(65_536)])]);

  let seed = emitter.emit("Cast", [SEED], toInt32);
  seed = emitter.emit("Add", [
    emitter.emit("Mul", [seed, constant(PER_SEED)]),
    constant(Math.imul(salt, PER_NODE)),
  ]);
  seed = fold(mix(seed));

  const size = emitter.emit("Cast", [emitter.emit("Size", [x])], toInt32);
  const index = emitter.emit("Range", [constant(0), size, constant(1)]);
  let hash = emitter.emit("Add", [emitter.emit("Mul", [index, constant(PER_ELEMENT)]), seed]);
  for (let round = 0; round < ROUNDS; round++) hash = fold(mix(hash));
  return mix(hash);
}

/** An int32 scalar. */
function int32(forward: ForwardGraph, value: number): string {
  const name = `hone.int32.${value}`;
  const { initializers } = forward.model.graph;
  if (!initializers.has(name)) {
    const bytes = new Uint8Array(Int32Array.of(value).buffer);
    initializers.set(name, makeTensor(name, DataType.int32, [], bytes));
    forward.emitter.setType(name, { elementType: DataType.int32, shape: [] });
  }
  return name;
}
