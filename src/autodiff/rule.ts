/**
 * @file What a gradient rule is: given a node and the gradients of its outputs, it emits nodes that
 * compute the gradients of its inputs. What an expansion is: a node replaced by plainer nodes before.
 *
 * A gradient always has the shape and the element type of its value. Rules compose standard ONNX ops
 * of opset 18–21 that ONNX Runtime runs in wasm, WebGPU and natively: reductions take their axes as an
 * input. A family of rules is a file in rules/ that exports a table; rules.ts spreads it into the whole.
 */
import type { Attribute, Dimension, Node } from "../onnx/model.ts";

/** Which ONNX Runtime the graph is for; rules choose their formulation by it, never their result. */
export type Target = "wasm" | "webgpu" | "native";

/** A value's name; `undefined`: there is none. */
export type MaybeValue = string | undefined;

/** Makes nodes and constants, and knows the types of all values, also of those it just made. */
export interface Emitter {
  readonly target: Target;
  /** The opset of ai.onnx that the model imports, 18 to 21 (normalise lifts it). */
  readonly opset: number;

  /**
   * Adds a node of ai.onnx with one output and gives the output's name.
   * `undefined` inputs are left out. Attributes are made by `makeInt`, `makeInts`, … of graph/attributes.ts.
   */
  emit(opType: string, inputs: readonly MaybeValue[], attributes?: readonly Attribute[]): string;
  /** The same with `outputs` outputs (Split, LSTM, …). */
  emitAll(
    opType: string,
    inputs: readonly MaybeValue[],
    outputs: number,
    attributes?: readonly Attribute[],
  ): string[];

  /** An int64 vector: axes, shapes, pads. Equal constants are one initializer. */
  int64(values: readonly number[]): string;
  /** An int64 scalar (Gather's index, CumSum's axis). */
  int64Scalar(value: number): string;
  /** A scalar of the element type of the node at hand: its first input that is a float. */
  float(value: number): string;
  /** A tensor of that type. `values` has as many elements as `dims` says. */
  floats(values: ArrayLike<number>, dims: readonly number[]): string;

  /**
   * Sizes, symbols (`"batch"`: not known before the run, equal wherever the same symbol stands) and
   * unknown dimensions; `undefined` where not even the rank is known. Also of emitted values.
   */
  shape(name: string): Dimension[] | undefined;
  /** `shape`. @throws RangeError, naming the node at hand, where the rank is not known */
  dims(name: string): Dimension[];
  /** `dims` where every size from axis `from` on is a number. @throws RangeError where one is not */
  sizes(name: string, from?: number): number[];
  elementType(name: string): number | undefined;
  /** The contents of a small constant or followed shape; symbols stand for the sizes of symbolic dimensions. */
  value(name: MaybeValue): Dimension[] | undefined;
  /** `value` where every element is a number; `undefined` for a left-out input and for computed ones. */
  numbers(name: MaybeValue): number[] | undefined;

  /** The value's shape as an int64 vector: a constant where it is known, else a Shape node. */
  shapeOf(name: string): string;
  /** ReduceSum, ReduceMean, ReduceMax, … over `axes` (none: the value itself). `keepDims`: as axes of size 1. */
  reduce(opType: string, value: string, axes: readonly number[], keepDims: boolean): string;
  /**
   * Reshapes to `dims`, of which at most one may be no number (it becomes −1).
   * No node where the shape is that already.
   */
  reshape(value: string, dims: readonly Dimension[]): string;
  /** Reshapes to the shape that the value `like` has, whatever is known of it. */
  reshapeLike(value: string, like: string): string;
  /** Zeros of the shape and element type of `like`. */
  zeros(like: string): string;

  /** An error that names the node at hand: `autodiff: Conv "/conv1" …`. To be thrown. */
  refusal(reason: string): RangeError;
}

export interface GradientContext extends Emitter {
  /** True when the walk wants a gradient of this value; a rule skips the work for inputs that need none. */
  needsGradient(name: MaybeValue): name is string;
  /**
   * Undoes broadcasting: sums `gradient` over the axes that `name` was broadcast along, down to the
   * shape of `name`. No node where the shapes agree.
   */
  reduceTo(gradient: string, name: string): string;
  /**
   * The name of output `index` of the node at hand, which is added to the forward node where the
   * model left it out (Mean and InvStdDev of LayerNormalization, Indices of MaxPool).
   */
  output(index: number): string;
}

/**
 * The gradients of a node's inputs, one entry an input (a shorter list leaves the rest out).
 *
 * @param outputGradients one entry an output; `undefined`: the loss does not depend on that output
 *   (a zero gradient: `context.zeros(node.outputs[i])` where the rule wants it as a tensor). At least one is there.
 * @returns for each input the gradient's name, or `undefined` where none is needed or the input has none
 */
export type GradientRule = (
  context: GradientContext,
  node: Node,
  outputGradients: readonly MaybeValue[],
) => MaybeValue[];

/**
 * Rewrites a node on the way of a gradient as plainer nodes before the walk, which then differentiates
 * those (LSTM unrolled over time, RMSNormalization by its parts, Attention, …). Emitted ops may have
 * expansions themselves.
 *
 * @returns the names of the values that take the place of the node's outputs, one an output (`undefined` where
 *   the node leaves the output out), or `undefined` to keep the node as it is, for a gradient rule
 */
export type Expansion = (emitter: Emitter, node: Node) => MaybeValue[] | undefined;

/** Gradient rules by op type of ai.onnx; ops of another domain are keyed `domain::OpType`. */
export type RuleTable = Readonly<Record<string, GradientRule>>;

export type ExpansionTable = Readonly<Record<string, Expansion>>;
