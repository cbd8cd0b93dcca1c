/**
 * @file The form in which a model is differentiated: no functions, constants as initializers, no false
 * ties between parameters, opset 18 or later, shapes known as far as they can be.
 */
import { makeInt64, opsetVersion } from "../graph/build.ts";
import { cloneModel } from "../graph/clone.ts";
import { constantTensor } from "../graph/constants.ts";
import { makeDense } from "./dense.ts";
import { inlineFunctions } from "../graph/inline-functions.ts";
import { type Inferred, inferTypes } from "../graph/infer.ts";
import { Names, Scope } from "../graph/scope.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Dimension, Model, Node } from "../onnx/model.ts";
import { liftOpset } from "../opset/lift.ts";
import { readBy } from "./paths.ts";

/** From here on reductions take their axes as an input, as the rules write them. */
const LOWEST_OPSET = 18;

/** The symbol of a first axis that the model says nothing about. */
const BATCH = "batch";

export interface NormaliseOptions {
  /**
   * Shapes of inputs, by name, in the place of those that the model declares: sizes, symbols (one symbol is
   * one size wherever it stands) and `undefined`.
   */
  shapes?: Readonly<Record<string, readonly Dimension[]>>;
}

/**
 * A copy of the model, ready for `defaultParameters` and `differentiate`; weights are shared with the original.
 *
 * Functions are inlined, Constant nodes become initializers, a weight that exporters reach through Identity
 * because it happened to equal another gets data of its own, sparse initializers become dense, initializers
 * are no longer inputs, shape arithmetic is folded, and nodes that no output needs are dropped. A first axis of unknown size is
 * `batch`, in all inputs the same.
 *
 * @throws OnnxError `unsupported` when an op cannot be lifted to opset 18
 */
export async function normalise(model: Model, options: NormaliseOptions = {}): Promise<Model> {
  const result = cloneModel(model);
  inlineFunctions(result);
  if ((opsetVersion(result) ?? 0) < LOWEST_OPSET) await liftOpset(result, LOWEST_OPSET);
  makeDense(result.graph);
  storeConstants(result);
  untie(result);
  const { graph } = result;
  graph.inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  nameDimensions(result, options.shapes ?? {});
  foldShapes(result, await inferTypes(result));
  dropUnused(result);
  return result;
}

function storeConstants({ graph }: Model): void {
  graph.nodes = graph.nodes.filter((node) => {
    const name = node.outputs[0] ?? "";
    if (node.opType !== "Constant" || node.domain !== "") return true;
    const tensor = constantTensor(node);
    if (!tensor) return true;
    graph.initializers.set(name, { ...tensor, name });
    return false;
  });
}

/** An Identity of an initializer is a copy of it, with the same lazy data. */
function untie({ graph }: Model): void {
  graph.nodes = graph.nodes.filter((node) => {
    const [output = ""] = node.outputs;
    if (node.opType !== "Identity" || node.domain !== "") return true;
    const tensor = graph.initializers.get(node.inputs[0] ?? "");
    if (!tensor || graph.outputs.some(({ name }) => name === output)) return true;
    graph.initializers.set(output, { ...tensor, name: output });
    return false;
  });
}

/** Gives every axis of the inputs a size or a symbol. Declared types of other values may contradict them and go. */
function nameDimensions(model: Model, shapes: NonNullable<NormaliseOptions["shapes"]>): void {
  const { graph } = model;
  const symbols = new Names(model);
  for (const { name, type } of graph.inputs) {
    if (type?.kind !== "tensor") continue;
    const declared = Object.hasOwn(shapes, name) ? shapes[name] : type.shape;
    type.shape = declared?.map((dim, axis) => {
      if (dim !== undefined && dim !== "") return dim;
      return axis === 0 ? BATCH : symbols.fresh(`${name}.${axis}`);
    });
    delete type.original;
  }
  graph.valueInfos = [];
  for (const { type } of graph.outputs) {
    if (type?.kind !== "tensor") continue;
    type.shape = type.shape?.map((dim) => (typeof dim === "number" ? dim : undefined));
    delete type.original;
  }
}

/** Int64 values that are known become initializers, the shapes of Reshapes also where one size is a symbol. */
function foldShapes(model: Model, inferred: Inferred): void {
  const { graph } = model;
  const scope = Scope.of(graph);
  const names = new Names(model);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  graph.nodes = graph.nodes.filter((node) => {
    if (node.opType === "Reshape") foldTarget(node);
    const [name = ""] = node.outputs;
    const value = inferred.value(scope, name);
    const rank = inferred.shape(scope, name)?.length;
    const isKnown = value?.every((element) => typeof element === "number");
    if (!isKnown || node.outputs.length > 1 || outputs.has(name)) return true;
    if (inferred.elementType(scope, name) !== DataType.int64) return true;
    if (rank !== 1 && !(rank === 0 && value.length === 1)) return true;
    graph.initializers.set(name, makeInt64(name, value, rank === 0));
    return false;
  });

  function foldTarget(node: Node): void {
    const [data = "", shape = ""] = node.inputs;
    const value = inferred.value(scope, shape);
    if (!value || graph.initializers.has(shape)) return;
    const target = reshapeTarget(value, inferred.shape(scope, data));
    if (!target) return;
    const name = names.fresh(`${shape}.folded`);
    graph.initializers.set(name, makeInt64(name, target));
    node.inputs = [data, name];
  }
}

/** The sizes as Reshape takes them: −1 for the one that is no number, 0 for those that stay as in the data. */
function reshapeTarget(
  value: readonly Dimension[],
  data: readonly Dimension[] | undefined,
): number[] | undefined {
  const target = value.map((element, axis) => {
    if (typeof element === "number") return element;
    return element !== undefined && element === data?.[axis] ? 0 : undefined;
  });
  if (target.filter((element) => element === undefined || element < 0).length > 1) return undefined;
  return target.map((element) => element ?? -1);
}

/** Drops what no output needs. */
export function dropUnused({ graph }: Model): void {
  const used = new Set(graph.outputs.map(({ name }) => name));
  graph.nodes = graph.nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((name) => used.has(name))) return false;
      for (const name of readBy(node)) used.add(name);
      return true;
    })
    .toReversed();
  for (const name of graph.initializers.keys())
    if (!used.has(name)) graph.initializers.delete(name);
}
