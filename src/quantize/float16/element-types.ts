/**
 * @file The element type of every value of a graph and its subgraphs, from the operators' signatures.
 *
 * Declared value infos are believed only where nothing can be derived, since they are wrong in some
 * models. An operand whose type is not known takes the type of the operands it must agree with.
 */
import { attributeValue, findAttribute } from "../../graph/attributes.ts";
import type { Scope } from "../../graph/scope.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Model, Node, ValueInfo } from "../../onnx/model.ts";
import { type Formal, formalAt, type Signature, signatureOf } from "./signatures.ts";

/**
 * `DataType` of a tensor, its negative for a sequence (or optional) of such tensors, 0 where the type is
 * not known.
 */
export type ElementType = number;

/** A sequence, map or optional of which nothing more is known. */
export const OPAQUE: ElementType = -1000;

/** Attributes by which a node names the element type of its output; 0 or absent leaves it to the rest. */
const TYPE_ATTRIBUTES = ["to", "dtype", "output_dtype", "output_datatype"];

/** Operators that give float32 where their type attribute is absent. */
const FLOAT32_BY_DEFAULT: ReadonlySet<string> = new Set([
  "RandomNormal",
  "RandomUniform",
  "ConstantOfShape",
  "BlackmanWindow",
  "HammingWindow",
  "HannWindow",
  "MelWeightMatrix",
]);

/** Operators whose output has the type of their first input where their type attribute is absent. */
const LIKE_INPUT_BY_DEFAULT: ReadonlySet<string> = new Set([
  "EyeLike",
  "Bernoulli",
  "RandomNormalLike",
  "RandomUniformLike",
]);

export class ElementTypes {
  readonly #opset: (domain: string) => number;
  readonly #functions: ReadonlySet<string>;
  readonly #types = new Map<Scope, Map<string, ElementType>>();

  constructor(root: Scope, model: Pick<Model, "opsetImports" | "functions">) {
    const versions = new Map(model.opsetImports.map(({ domain, version }) => [domain, version]));
    this.#opset = (domain) => versions.get(domain) ?? 1;
    this.#functions = new Set(model.functions.map(({ domain, name }) => `${domain}:${name}`));
    this.#inferGraph(root, []);
  }

  /** The type of a name as seen from a scope. */
  of(scope: Scope, name: string): ElementType {
    const home = scope.definingScope(name);
    return (home && this.#types.get(home)?.get(name)) ?? 0;
  }

  /** `undefined` for operators without a schema; a function of the model is one, whatever its name. */
  signature(node: Node): Signature | undefined {
    if (this.#functions.has(`${node.domain}:${node.opType}`)) return undefined;
    return signatureOf(node.domain, node.opType, this.#opset(node.domain));
  }

  #set(scope: Scope, name: string, type: ElementType): void {
    const types = this.#types.get(scope.definingScope(name) ?? scope);
    if (types && name !== "" && type !== 0) types.set(name, type);
  }

  /** `given`: the types of the graph's inputs as the node that owns the graph passes them. */
  #inferGraph(scope: Scope, given: readonly ElementType[]): void {
    const { graph } = scope;
    const types = new Map<string, ElementType>();
    this.#types.set(scope, types);
    const declared = new Map<string, ElementType>();
    for (const info of [...graph.valueInfos, ...graph.outputs]) {
      declared.set(info.name, declaredType(info));
    }
    graph.inputs.forEach((info, index) => {
      types.set(info.name, declaredType(info) || (given[index] ?? 0));
    });
    for (const sparse of graph.sparseInitializers) {
      types.set(sparse.values.name, sparse.values.dataType);
    }
    for (const [name, tensor] of graph.initializers) types.set(name, tensor.dataType);
    const bodies = Map.groupBy(scope.children, (child) => child.owner);
    for (const node of graph.nodes) {
      const outputs = this.#inferNode(scope, node, bodies.get(node) ?? []);
      node.outputs.forEach((name, index) => {
        if (name === "") return;
        types.set(name, outputs[index] || types.get(name) || declared.get(name) || 0);
      });
    }
  }

  #inferNode(scope: Scope, node: Node, bodies: readonly Scope[]): ElementType[] {
    const inputs = node.inputs.map((name) => this.of(scope, name));
    if (bodies.length > 0) return this.#inferControlFlow(node, inputs, bodies);
    const signature = this.signature(node);
    if (!signature) return [];
    const bound = new Map<string, ElementType>();
    node.inputs.forEach((_, index) => {
      const formal = formalAt(signature.inputs, index);
      const type = inputs[index] ?? 0;
      if (formal?.variable && formal.variadic !== "each" && type !== 0) {
        bound.set(formal.variable, type);
      }
    });
    // Backwards: what an operand of unknown type must be for the node to be valid.
    node.inputs.forEach((name, index) => {
      if (name === "" || inputs[index] !== 0) return;
      this.#set(scope, name, formalType(formalAt(signature.inputs, index), bound));
    });
    const named = namedType(node, inputs[0] ?? 0);
    return node.outputs.map((_, index) => {
      const formal = formalAt(signature.outputs, index);
      return sequenceElement(node, inputs) || formalType(formal, bound) || (formal ? named : 0);
    });
  }

  /** If, Loop, Scan: the outputs are those of the bodies, which see the node's inputs. */
  #inferControlFlow(
    node: Node,
    inputs: readonly ElementType[],
    bodies: readonly Scope[],
  ): ElementType[] {
    const isLoop = node.opType === "Loop";
    const given = isLoop
      ? [DataType.int64, DataType.bool, ...inputs.slice(2)]
      : node.opType === "Scan"
        ? inputs.slice(this.#opset("") < 9 ? 1 : 0)
        : [];
    for (const body of bodies) this.#inferGraph(body, given);
    return node.outputs.map((_, index) => {
      for (const body of bodies) {
        // A Loop's body gives the condition first.
        const output = body.graph.outputs[isLoop ? index + 1 : index];
        const type = output && (this.of(body, output.name) || declaredType(output));
        if (type) return type;
      }
      return 0;
    });
  }
}

/** The type that a value info declares. */
function declaredType(info: ValueInfo): ElementType {
  if (!info.type) return 0;
  return info.type.kind === "tensor" ? info.type.elementType : OPAQUE;
}

function formalType(
  formal: Formal | undefined,
  bound: ReadonlyMap<string, ElementType>,
): ElementType {
  if (!formal || formal.variadic === "each") return 0;
  return formal.elementType ?? (formal.variable ? (bound.get(formal.variable) ?? 0) : OPAQUE);
}

/** The type that the node's attributes give to its outputs of an unbound type variable. */
function namedType(node: Node, first: ElementType): ElementType {
  for (const name of TYPE_ATTRIBUTES) {
    const attribute = findAttribute(node, name);
    if (attribute?.type === "int" && attribute.value !== 0n) return Number(attribute.value);
  }
  if (node.opType === "Constant") return constantType(node);
  const value = findAttribute(node, "value");
  if (value?.type === "tensor") return value.value.dataType;
  if (FLOAT32_BY_DEFAULT.has(node.opType)) return DataType.float32;
  if (LIKE_INPUT_BY_DEFAULT.has(node.opType)) return first;
  // LayerNormalization's Mean and InvStdDev.
  const stash = attributeValue(node, "stash_type", "int");
  if (stash !== undefined) return Number(stash);
  return node.opType === "LayerNormalization" ? DataType.float32 : 0;
}

function constantType(node: Node): ElementType {
  const attribute = node.attributes[0];
  switch (attribute?.type) {
    case "tensor":
      return attribute.value.dataType;
    case "sparse_tensor":
      return attribute.value.values.dataType;
    case "float":
    case "floats":
      return DataType.float32;
    case "int":
    case "ints":
      return DataType.int64;
    case "string":
    case "strings":
      return DataType.string;
    default:
      return 0;
  }
}

/** Sequences: their element type goes in with a tensor and comes out with one. */
function sequenceElement(node: Node, inputs: readonly ElementType[]): ElementType {
  const first = inputs[0] ?? 0;
  switch (node.opType) {
    case "SequenceConstruct":
    case "SplitToSequence":
    case "Optional":
      return first > 0 ? -first : OPAQUE;
    case "SequenceInsert":
      return first === OPAQUE && (inputs[1] ?? 0) > 0 ? -(inputs[1] ?? 0) : first;
    case "SequenceErase":
      return first;
    case "SequenceAt":
    case "ConcatFromSequence":
      return first < 0 && first !== OPAQUE ? -first : 0;
    case "OptionalGetElement":
      // An optional of a sequence cannot be told from an optional of a tensor here.
      return first > 0 ? first : 0;
    default:
      return 0;
  }
}
