/**
 * @file Carries a placement out: types of inputs, outputs and constants change, Casts go in.
 *
 * A value has one Cast at most, in the graph that defines it and right behind its producer, so that it is
 * computed once and every graph inside can read it.
 */
import { makeInt, makeTensorAttribute } from "../../graph/attributes.ts";
import { makeNode, makeTensor } from "../../graph/build.ts";
import type { Names, Scope } from "../../graph/scope.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node, SparseTensor, Tensor, ValueInfo } from "../../onnx/model.ts";
import type { ElementTypes } from "./element-types.ts";
import type { Precision } from "./node-precision.ts";
import { isCopied, type Placement, type Placements } from "./placement.ts";

/** Converts a stored tensor, as `halfTensor`, and keeps the account of it. */
export type ConvertTensor = (placement: Placement, tensor: Tensor) => Tensor;

/** The names under which a value can be read. */
type Spelling = Record<Precision, string>;

const SUFFIX: Spelling = { half: "fp16", float: "fp32" };
const DATA_TYPE = { half: DataType.float16, float: DataType.float32 } as const;

/** @returns the number of Casts that went in */
export function rewriteGraph(
  root: Scope,
  types: ElementTypes,
  placements: Placements,
  names: Names,
  convert: ConvertTensor,
): number {
  return new Rewrite(types, placements, names, convert).graph(root);
}

class Rewrite {
  readonly #types: ElementTypes;
  readonly #placements: Placements;
  readonly #convert: ConvertTensor;
  readonly #spellings = new Map<Placement, Spelling>();
  #casts = 0;

  constructor(types: ElementTypes, placements: Placements, names: Names, convert: ConvertTensor) {
    this.#types = types;
    this.#placements = placements;
    this.#convert = convert;
    for (const placement of placements.all()) {
      this.#spellings.set(placement, spell(placement, names));
    }
  }

  graph(root: Scope): number {
    // Children first: they look names up in scopes whose nodes are still as they were.
    for (const scope of [...root.walk()].reverse()) this.#scope(scope);
    return this.#casts;
  }

  #scope(scope: Scope): void {
    const { graph } = scope;
    this.#declareTypes(scope);
    const before: Node[] = [];
    for (const placement of this.#defined(scope)) {
      if (!placement.value.producer) before.push(...this.#other(placement));
    }
    const nodes: Node[] = [...before];
    for (const node of graph.nodes) {
      const made = node.outputs.map((name) => this.#placements.find(scope, name));
      const castsHalf = this.#isHalfToHalf(scope, node, made[0]);
      this.#renameOperands(scope, node, made);
      if (castsHalf) becomeIdentity(node);
      nodes.push(node);
      for (const placement of made) {
        if (!placement) continue;
        // Before the constant itself changes: a copy is made from the float32 one.
        nodes.push(...this.#other(placement));
        if (placement.home === "half") this.#makeHalf(node, placement);
      }
    }
    for (const placement of this.#defined(scope)) this.#storeHalf(scope, placement);
    graph.nodes = nodes;
  }

  *#defined(scope: Scope): Generator<Placement> {
    for (const value of this.#placements.values.in(scope)) {
      const placement = this.#placements.find(scope, value.name);
      if (placement) yield placement;
    }
  }

  #spelling(placement: Placement): Spelling {
    const spelling = this.#spellings.get(placement);
    if (!spelling) throw new TypeError(`float16: "${placement.value.name}" was not planned`);
    return spelling;
  }

  #renameOperands(scope: Scope, node: Node, made: readonly (Placement | undefined)[]): void {
    node.inputs = node.inputs.map((name, index) => {
      const placement = this.#placements.find(scope, name);
      const precision = this.#placements.inputPrecision(scope, node, index);
      return placement && precision ? this.#spelling(placement)[precision] : name;
    });
    node.outputs = node.outputs.map((name, index) => {
      const placement = made[index];
      return placement ? this.#spelling(placement)[placement.home] : name;
    });
  }

  /**
   * A Cast that now has the same type on both sides. ONNX Runtime 1.30 refuses some graphs with such Casts
   * ("output arg InsertedPrecisionFreeCast_… does not match expected type"), never with Identity.
   */
  #isHalfToHalf(scope: Scope, node: Node, made: Placement | undefined): boolean {
    if (node.domain !== "" || (node.opType !== "Cast" && node.opType !== "CastLike")) return false;
    const isFloat16 = (name: string) => this.#types.of(scope, name) === DataType.float16;
    const input = node.inputs[0] ?? "";
    const from = this.#placements.inputPrecision(scope, node, 0);
    const fromHalf = from ? from === "half" : isFloat16(input);
    return fromHalf && (made ? made.home === "half" : isFloat16(node.outputs[0] ?? ""));
  }

  /** The node that makes a value's other precision, where something reads that. */
  #other(placement: Placement): Node[] {
    const { home, wanted, value } = placement;
    const other = home === "half" ? "float" : "half";
    if (!wanted.has(other)) return [];
    const spelling = this.#spelling(placement);
    const output = spelling[other];
    const name = { name: output };
    if (value.tensor && isCopied(placement)) {
      const tensor = this.#convert(placement, { ...value.tensor, name: output });
      return [
        makeNode("Constant", [], [output], {
          ...name,
          attributes: [makeTensorAttribute("value", tensor)],
        }),
      ];
    }
    this.#casts++;
    const attributes = [makeInt("to", DATA_TYPE[other])];
    return [makeNode("Cast", [spelling[home]], [output], { ...name, attributes })];
  }

  /** Changes the attribute from which a node's output takes its type. */
  #makeHalf(node: Node, placement: Placement): void {
    if (node.domain !== "") return;
    if (node.opType === "Constant") {
      const { tensor, name } = placement.value;
      if (!tensor) return;
      node.attributes = [
        makeTensorAttribute("value", this.#convert(placement, { ...tensor, name })),
      ];
    } else if (node.opType === "ConstantOfShape") {
      const given = node.attributes.find((attribute) => attribute.name === "value");
      const zero = makeTensor("", DataType.float32, [1], new Uint8Array(4));
      const value = given?.type === "tensor" ? given.value : zero;
      const others = node.attributes.filter((attribute) => attribute.name !== "value");
      node.attributes = [...others, makeTensorAttribute("value", this.#convert(placement, value))];
    } else if (node.opType === "Cast" || node.opType === "DequantizeLinear") {
      node.attributes = node.attributes.map((attribute) =>
        (attribute.name === "to" || attribute.name === "output_dtype") &&
        attribute.type === "int" &&
        Number(attribute.value) === DataType.float32
          ? { ...attribute, value: BigInt(DataType.float16) }
          : attribute,
      );
    }
  }

  #storeHalf(scope: Scope, placement: Placement): void {
    const { value, home } = placement;
    if (home !== "half" || value.producer) return;
    const { graph } = scope;
    if (value.tensor) graph.initializers.set(value.name, this.#convert(placement, value.tensor));
    if (value.sparse) {
      const { sparse } = value;
      const stored: SparseTensor = { ...sparse, values: this.#convert(placement, sparse.values) };
      graph.sparseInitializers = graph.sparseInitializers.map((entry) =>
        entry === sparse ? stored : entry,
      );
    }
  }

  #declareTypes(scope: Scope): void {
    const { graph } = scope;
    const declare = (info: ValueInfo, precision: Precision): ValueInfo =>
      info.type?.kind === "tensor" && info.type.elementType === DataType.float32
        ? { ...info, type: { ...info.type, elementType: DATA_TYPE[precision] } }
        : info;
    graph.inputs = graph.inputs.map((info) => {
      const placement = this.#placements.find(scope, info.name);
      return placement ? declare(info, placement.home) : info;
    });
    graph.valueInfos = graph.valueInfos.map((info) => {
      const placement = this.#placements.find(scope, info.name);
      if (!placement) return info;
      return declare(info, this.#spelling(placement).half === info.name ? "half" : "float");
    });
    graph.outputs = graph.outputs.map((info) => {
      const placement = this.#placements.find(scope, info.name);
      if (!placement) return info;
      const precision = this.#placements.outputPrecision(scope, info.name);
      return { ...declare(info, precision), name: this.#spelling(placement)[precision] };
    });
  }
}

function becomeIdentity(node: Node): void {
  node.opType = "Identity";
  node.inputs = node.inputs.slice(0, 1);
  node.attributes = [];
}

function spell({ value, home, wanted, output }: Placement, names: Names): Spelling {
  const other = home === "half" ? "float" : "half";
  const spelling: Spelling = { half: value.name, float: value.name };
  if (!wanted.has(other)) return spelling;
  // The name stays with the graph's output; elsewhere with the value as it is made.
  if (output === other) spelling[home] = names.fresh(`${value.name}_${SUFFIX[home]}`);
  else spelling[other] = names.fresh(`${value.name}_cast_to_${SUFFIX[other]}`);
  return spelling;
}
