/** @file In which precision each float32 value is made, and in which it is read. */
import type { Scope } from "../../graph/scope.ts";
import { elementCount } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import type { ElementTypes } from "./element-types.ts";
import { keepIntegerArithmetic } from "./integer-arithmetic.ts";
import { keepLargeStatistics } from "./large-statistics.ts";
import { type NodePrecision, nodePrecision, type Precision, stayFloat } from "./node-precision.ts";
import type { Float16Settings } from "./options.ts";
import { type Value, Values } from "./values.ts";

/** A constant of at most so many elements that both precisions read is stored twice, so that each is exact. */
const MAX_COPIED_ELEMENTS = 256;

/** True where a value's other precision is a second constant rather than a Cast. */
export function isCopied({ value, home }: Placement): boolean {
  const { tensor } = value;
  return home === "float" && !!tensor && elementCount(tensor.dims) <= MAX_COPIED_ELEMENTS;
}

export interface Placement {
  value: Value;
  /** The precision in which it is stored or made; the other one is a Cast of it. */
  home: Precision;
  /** The precisions in which nodes and graphs read it. */
  wanted: Set<Precision>;
  /** The precision of an output of the main graph of this name, whose name must not change. */
  output: Precision | undefined;
  /** The first node that reads it. */
  reader: Node | undefined;
  /** The first node that reads it as float32. */
  floatReader: Node | undefined;
}

export class Placements {
  readonly precisions = new Map<Node, NodePrecision>();
  readonly values: Values;
  readonly #placements = new Map<Value, Placement>();
  readonly #frozen = new Set<Scope>();
  readonly #settings: Float16Settings;

  private constructor(values: Values, settings: Float16Settings) {
    this.values = values;
    this.#settings = settings;
  }

  static async plan(
    root: Scope,
    types: ElementTypes,
    settings: Float16Settings,
  ): Promise<Placements> {
    const plan = new Placements(new Values(root, types), settings);
    plan.#decideNodes(root, types, undefined);
    await keepLargeStatistics(root, plan.values, settings.format.maxFinite, plan.precisions);
    await keepIntegerArithmetic(root, plan.values, plan.precisions);
    for (const value of plan.values.all()) plan.#placements.set(value, plan.#unread(value, root));
    for (const scope of root.walk()) plan.#recordReads(scope, scope === root);
    for (const placement of plan.#placements.values()) plan.#settleConstant(placement, root);
    return plan;
  }

  /** The placement of a name as seen from a scope; `undefined` unless it is a float32 tensor. */
  find(scope: Scope, name: string): Placement | undefined {
    const value = this.values.find(scope, name);
    return value && this.#placements.get(value);
  }

  all(): Iterable<Placement> {
    return this.#placements.values();
  }

  /** The precision that an output of a graph has to have. */
  outputPrecision(scope: Scope, name: string): Precision {
    const placement = this.find(scope, name);
    if (!scope.parent && placement?.output) return placement.output;
    return this.#frozen.has(scope) ? "float" : "half";
  }

  /** The precision in which a node reads its input, where that is a float32 value. */
  inputPrecision(scope: Scope, node: Node, index: number): Precision | undefined {
    const placement = this.find(scope, node.inputs[index] ?? "");
    if (!placement) return undefined;
    const wanted = this.precisions.get(node)?.inputs[index] ?? "float";
    return wanted === "any" ? placement.home : wanted;
  }

  #decideNodes(scope: Scope, types: ElementTypes, frozenBy: string | undefined): void {
    if (frozenBy !== undefined) this.#frozen.add(scope);
    const bodies = Map.groupBy(scope.children, (child) => child.owner);
    for (const node of scope.graph.nodes) {
      const own = bodies.get(node) ?? [];
      const precision =
        frozenBy === undefined
          ? nodePrecision(node, scope, own, types, this.#settings.blocked)
          : stayFloat(node, frozenBy);
      this.precisions.set(node, precision);
      const reason =
        precision.reason && `inside ${node.opType} "${node.name}": ${precision.reason}`;
      for (const body of own) this.#decideNodes(body, types, frozenBy ?? reason);
    }
  }

  #unread(value: Value, root: Scope): Placement {
    const none = { wanted: new Set<Precision>(), output: undefined };
    return {
      value,
      home: this.#home(value, root),
      ...none,
      reader: undefined,
      floatReader: undefined,
    };
  }

  #home(value: Value, root: Scope): Precision {
    const { producer, scope, tensor } = value;
    if (tensor || value.sparse) return "half";
    if (producer) {
      // A Constant that holds no dense tensor is carried over as it is.
      if (producer.opType === "Constant" && producer.domain === "") return "float";
      const index = producer.outputs.indexOf(value.name);
      return this.precisions.get(producer)?.outputs[index] ?? "float";
    }
    if (scope === root) return this.#settings.keepsType(value.name) ? "float" : "half";
    return this.#frozen.has(scope) ? "float" : "half";
  }

  #recordReads(scope: Scope, isRoot: boolean): void {
    for (const node of scope.graph.nodes) {
      const wanted = this.precisions.get(node)?.inputs ?? [];
      node.inputs.forEach((name, index) => {
        const placement = this.find(scope, name);
        const precision = wanted[index] ?? "float";
        if (!placement) return;
        placement.reader ??= node;
        if (precision === "float") placement.floatReader ??= node;
        if (precision !== "any") placement.wanted.add(precision);
      });
    }
    for (const { name } of scope.graph.outputs) {
      const placement = this.find(scope, name);
      if (!placement) continue;
      if (!isRoot) placement.wanted.add(this.outputPrecision(scope, name));
      else {
        const isPlainInput = placement.value.isInput && !placement.value.tensor;
        const asked = this.#settings.keepsType(name) ? "float" : "half";
        // An input that is handed out as it is has one name, so one type.
        placement.output = isPlainInput ? placement.home : asked;
        placement.wanted.add(placement.output);
      }
    }
  }

  /** Constants are stored in the precision that they are read in; in float16 where both are. */
  #settleConstant(placement: Placement, root: Scope): void {
    const { value, wanted } = placement;
    if (!value.tensor && !value.sparse) return;
    const { forceInitializers, keepsByName, keepsType } = this.#settings;
    const isSmall = value.tensor && elementCount(value.tensor.dims) <= MAX_COPIED_ELEMENTS;
    const named = value.isInput && value.scope === root && keepsByName && keepsType(value.name);
    if (placement.output) placement.home = placement.output;
    else if (named) placement.home = "float";
    else if (forceInitializers) placement.home = "half";
    else if (!wanted.has("half")) {
      const isRead = placement.reader !== undefined && !wanted.has("float");
      placement.home = isRead ? "half" : "float";
    } else placement.home = wanted.has("float") && isSmall && !value.isInput ? "float" : "half";
  }
}
