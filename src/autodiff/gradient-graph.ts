/** @file The part of a differentiated model that rules emit: gradients, added up where a value is used twice. */
import { product } from "../graph/infer-shape.ts";
import { makeInt } from "../graph/attributes.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Dimension } from "../onnx/model.ts";
import { GraphEmitter } from "./emitter.ts";
import type { GradientContext, MaybeValue } from "./rule.ts";

export class GradientGraph extends GraphEmitter implements GradientContext {
  /** Values that the walk wants a gradient of. */
  wanted: ReadonlySet<string> = new Set();
  readonly #sums = new Map<string, string>();

  needsGradient(name: MaybeValue): name is string {
    return name !== undefined && this.wanted.has(name);
  }

  /** Adds a part of the gradient of `name`: at once, so that no part is kept for longer than it must be. */
  contribute(name: string, gradient: string): void {
    const type = this.type(gradient);
    // The shape of a gradient is that of its value, which is often known better; two values may share one gradient.
    const shape = this.shape(name)?.map((dim, axis) => dim ?? type.shape?.[axis]);
    if (shape) this.setType(gradient, { ...type, shape });
    const before = this.#sums.get(name);
    if (before === undefined) {
      this.#sums.set(name, gradient);
      return;
    }
    const sum = this.emit("Add", [before, gradient]);
    this.setType(sum, this.type(before));
    this.#sums.set(name, sum);
  }

  /** The sum of what was contributed to `name`, `undefined` if nothing was. */
  gradient(name: string): string | undefined {
    return this.#sums.get(name);
  }

  output(index: number): string {
    const { node } = this;
    if (!node) throw this.refusal(`no node is at hand`);
    while (node.outputs.length <= index) node.outputs.push("");
    if (!node.outputs[index]) {
      node.outputs[index] = this.names.fresh(`hone.${node.opType}.${index}`);
      this.infer(node);
    }
    return node.outputs[index] ?? "";
  }

  reduceTo(gradient: string, name: string): string {
    const from = this.shape(gradient);
    const to = this.shape(name);
    if (!from || !to || from.length < to.length) {
      if (from && to)
        throw this.refusal(`a gradient of rank ${from.length} is for rank ${to.length}`);
      throw this.refusal(`the rank of "${from ? name : gradient}" is not known`);
    }
    const added = from.length - to.length;
    if (to.some((dim, axis) => mayBeBroadcast(dim, from[axis + added]))) {
      return this.#reduceAtRunTime(gradient, name, added);
    }
    const isSummed = from.map((dim, axis) => axis < added || (to[axis - added] === 1 && dim !== 1));
    const axes = [...from.keys()].filter((axis) => isSummed[axis]);
    if (axes.length === 0) return gradient;
    if (axes.length === added) return this.#sum(gradient, axes, false);
    return this.reshape(this.#sum(gradient, axes, added === 0), to);
  }

  #sum(value: string, axes: readonly number[], keepDims: boolean): string {
    return this.reduce("ReduceSum", value, axes, keepDims);
  }

  /** For sizes that are not known before the run: the axes are those along which `name` then has size 1. */
  #reduceAtRunTime(gradient: string, name: string, added: number): string {
    const shape = this.emit("Shape", [name]);
    const ones = Array<number>(added).fill(1);
    const padded =
      added > 0 ? this.emit("Concat", [this.int64(ones), shape], [makeInt("axis", 0)]) : shape;
    const isOne = this.emit("Equal", [padded, this.int64([1])]);
    const axes = this.emit("Reshape", [this.emit("NonZero", [isOne]), this.int64([-1])]);
    const sum = this.emit("ReduceSum", [gradient, axes], [makeInt("noop_with_empty_axes", 1)]);
    const result = this.emit("Reshape", [sum, shape]);
    this.setType(result, this.type(name));
    return result;
  }
}

/** True when a value of size `to` along an axis may or may not have been spread to `from`. */
function mayBeBroadcast(to: Dimension, from: Dimension): boolean {
  if (typeof to === "number") return false;
  return to === undefined || to !== from;
}

/** True for a scalar and for tensors of one element. */
export function isSingle(shape: readonly Dimension[]): boolean {
  return product(shape) === 1;
}

export const isFloatType = (type: number | undefined): boolean =>
  type === DataType.float32 || type === DataType.float64;
