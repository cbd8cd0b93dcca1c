/**
 * @file The quantized weights of one pass: each stored tensor is quantized once and its codes shared by
 * the nodes that can use them.
 */
import { intAttribute, makeInts } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import { type ConstantValue, resolveConstant } from "../../graph/constants.ts";
import { sqnrDb, type WeightChange } from "../../graph/report.ts";
import { findWeights, nodeLabel, type Weight } from "../../graph/weights.ts";
import { DataType, dataTypeName, elementCount } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import type { AffineType } from "../affine.ts";
import { type AffineOptions, affineWeight } from "../affine-weight.ts";
import type { GraphRewrite } from "./graph-rewrite.ts";
import { becomesMatMul, type DynamicPass, keepFloat, storeWeight } from "./pass.ts";
import type { QuantizedValue } from "./quantized-value.ts";

export interface WeightRequest {
  type: AffineType;
  reduceRange: boolean;
  /** One scale per index of the value's last axis. */
  perColumn?: boolean;
  /** The node reads the value transposed (Gemm's transB). */
  transposed?: boolean;
  /** Element types that the node can use as codes (default float32). */
  dataTypes?: readonly DataType[];
}

/** A weight whose codes are known to exist; `commit` puts them into the model. */
export interface PreparedWeight {
  commit(): QuantizedValue;
}

interface Stored {
  key: object;
  value: QuantizedValue;
  /** Of the codes, against the stored tensor. */
  permutation: readonly number[] | undefined;
  graph: GraphRewrite;
}

export class WeightStore {
  readonly #pass: DynamicPass;
  readonly #stored = new Map<object, Stored[]>();
  readonly #changes: { codes: string; change: WeightChange }[] = [];
  /** Who read which stored tensor before the rewrite. */
  readonly #readers: ReadonlyMap<object, Weight>;
  /** Nodes between stored tensors and their readers, which may have no reader left afterwards. */
  readonly touched = new Set<Node>();
  /** LSTM weights by their tensor (or Constant node): no other op can read their form. */
  readonly gates = new Map<object, QuantizedValue>();

  constructor(pass: DynamicPass) {
    this.#pass = pass;
    const weights = findWeights(pass.root, { dataTypes: [DataType.float32, DataType.float16] });
    this.#readers = new Map(weights.map((weight) => [weight.holder ?? weight.tensor, weight]));
  }

  /** The changes whose codes are in `used`. */
  changes(used: ReadonlySet<string>): WeightChange[] {
    return this.#changes.filter(({ codes }) => used.has(codes)).map(({ change }) => change);
  }

  /**
   * Finds or makes the codes of a node's constant input.
   * @returns `undefined` when the input is no constant or has to stay float (the report says why)
   */
  async prepare(
    graph: GraphRewrite,
    node: Node,
    input: number,
    request: WeightRequest,
  ): Promise<PreparedWeight | undefined> {
    const name = node.inputs[input] ?? "";
    const known = request.transposed ? undefined : graph.find(name);
    if (known?.constant && usable(known, request)) {
      return { commit: () => known };
    }
    const constant = resolveConstant(graph.scope, name);
    if (!constant) return undefined;
    const { tensor } = constant;
    if (!(request.dataTypes ?? [DataType.float32]).includes(tensor.dataType)) return undefined;
    const wanted = composed(constant.permutation, request.transposed ? [1, 0] : undefined);
    const key = constant.holder ?? tensor;
    for (const stored of this.#stored.get(key) ?? []) {
      const view = this.#view(stored, wanted, request, tensor.dims.length);
      if (view) return { commit: () => view() };
    }
    const direct = this.#sameForAll(key, wanted) ? wanted : undefined;
    return await this.#make(graph, node, name, constant, direct, wanted, request);
  }

  commitGates(constant: ConstantValue, value: QuantizedValue, change: WeightChange): void {
    this.gates.set(constant.holder ?? constant.tensor, value);
    this.#committed(constant, value, change);
  }

  #committed(constant: ConstantValue, value: QuantizedValue, change: WeightChange): void {
    this.#changes.push({ codes: value.codes, change });
    for (const link of constant.path) this.touched.add(link);
    if (constant.holder) this.touched.add(constant.holder);
  }

  /** Codes that exist already, through a Transpose where their order is another. */
  #view(
    stored: Stored,
    wanted: readonly number[] | undefined,
    request: WeightRequest,
    rank: number,
  ): (() => QuantizedValue) | undefined {
    const own = stored.permutation ?? range(rank);
    const turn = (wanted ?? range(rank)).map((axis) => own.indexOf(axis));
    if (turn.every((axis, index) => axis === index)) {
      return usable(stored.value, request) ? () => stored.value : undefined;
    }
    const { axis, ...value } = stored.value;
    const turned = {
      ...value,
      ...(axis !== undefined && { axis: turn.indexOf(axis + rank) - rank }),
    };
    if (!usable(turned, request)) return undefined;
    return () => {
      const codes = this.#pass.names.fresh(`${value.codes}_transposed`);
      const transpose = makeNode("Transpose", [value.codes], [codes], {
        name: codes,
        attributes: [makeInts("perm", turn)],
      });
      stored.graph.pushFront(transpose);
      this.touched.add(transpose);
      const view: QuantizedValue = { ...turned, codes };
      this.#store({ ...stored, value: view, permutation: wanted });
      return view;
    };
  }

  #store(stored: Stored): void {
    const list = this.#stored.get(stored.key);
    if (list) list.push(stored);
    else this.#stored.set(stored.key, [stored]);
  }

  async #make(
    graph: GraphRewrite,
    node: Node,
    name: string,
    constant: ConstantValue,
    permutation: readonly number[] | undefined,
    wanted: readonly number[] | undefined,
    request: WeightRequest,
  ): Promise<PreparedWeight | undefined> {
    const { tensor, storedName } = constant;
    const rank = tensor.dims.length;
    const options: AffineOptions = {
      type: request.type,
      symmetric: request.type === "int8",
      reduceRange: request.reduceRange,
      check: this.#pass.check,
    };
    if (permutation) options.permutation = permutation;
    if (perColumn(request, rank)) {
      // The wanted value's last axis, as an axis of the codes.
      const stored = wanted?.[rank - 1] ?? rank - 1;
      options.axis = permutation ? permutation.indexOf(stored) : stored;
    }
    const count = elementCount(tensor.dims);
    const channels =
      options.axis === undefined
        ? 1
        : (tensor.dims[permutation?.[options.axis] ?? options.axis] ?? 1);
    const width = tensor.dataType === DataType.float16 ? 2 : 4;
    const bytesAfter = count + channels * (width + 1);
    if (bytesAfter >= count * width) {
      return keepFloat(this.#pass, storedName, `${count * width} bytes would become ${bytesAfter}`);
    }
    const change: WeightChange = {
      name: storedName,
      node: nodeLabel(node),
      method:
        options.axis === undefined
          ? `${request.type} per tensor`
          : `${request.type} per channel (axis ${options.axis})`,
      dims: [...tensor.dims],
      from: dataTypeName(tensor.dataType),
      to: request.type,
      bytesBefore: count * width,
      bytesAfter,
      sqnrDb: null,
    };
    options.onError = (signal, error) => (change.sqnrDb = sqnrDb(signal, error));
    const weight = await affineWeight(tensor, options, this.#pass.arena);
    if (!weight) {
      return keepFloat(
        this.#pass,
        storedName,
        "holds NaN or Inf, or its range overflows the float type",
      );
    }
    return {
      commit: () => {
        const home = graph.of(constant.scope) ?? graph;
        const { names, opset } = this.#pass;
        const value: QuantizedValue = {
          codes: names.fresh(`${storedName}_quantized`),
          scale: names.fresh(`${storedName}_scale`),
          zeroPoint: names.fresh(`${storedName}_zero_point`),
          type: request.type,
          floatType: tensor.dataType,
          // DequantizeLinear has no axis before opset 13: then the float copy stays for its other readers.
          hasFloat: options.axis !== undefined && opset < 13,
          constant: true,
        };
        if (options.axis !== undefined) value.axis = options.axis - rank;
        storeWeight(home, value, weight);
        this.#committed(constant, value, change);
        const stored: Stored = { key: constant.holder ?? tensor, value, permutation, graph: home };
        this.#store(stored);
        if (!permutation) home.define(storedName, value);
        else if (!request.transposed) graph.home(name).define(name, value);
        return this.#view(stored, wanted, request, rank)?.() ?? value;
      },
    };
  }

  /** True when each reader of the stored tensor that stays wants it in the same order. */
  #sameForAll(key: object, wanted: readonly number[] | undefined): boolean {
    if (!wanted) return true;
    const weight = this.#readers.get(key);
    if (!weight || weight.isOutput) return false;
    return weight.uses.every(({ node, input, permutation }) => {
      const turned = node.opType === "Gemm" && input === 1 && becomesMatMul(this.#pass, node);
      const transB = turned && intAttribute(node, "transB", 0) !== 0;
      return String(composed(permutation, transB ? [1, 0] : undefined)) === String(wanted);
    });
  }
}

const range = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis);

/**
 * A vector has no columns (MatMul sums over its only axis), and ONNX Runtime runs no stack of matrices
 * with more than one zero point.
 */
const perColumn = (request: WeightRequest, rank: number): boolean =>
  (request.perColumn ?? false) && rank === 2;

const usable = (value: QuantizedValue, request: WeightRequest): boolean =>
  value.axis === undefined || (value.axis === -1 && (request.perColumn ?? false));

/** The permutation of a transposed value that is transposed again; `undefined` for none. */
function composed(
  inner: readonly number[] | undefined,
  outer: readonly number[] | undefined,
): readonly number[] | undefined {
  const both = inner && outer ? outer.map((axis) => inner[axis] ?? axis) : (outer ?? inner);
  return both?.every((axis, index) => axis === index) ? undefined : both;
}
