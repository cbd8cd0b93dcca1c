/**
 * @file Lifting a model to a newer opset: one version at a time, each node whose operator that
 * version changed is rewritten by its adapter (adapters/table.ts).
 */
import { makeTensorAttribute, subgraphs } from "../graph/attributes.ts";
import { importOpset, makeNode, opsetVersion } from "../graph/build.ts";
import { cloneModel } from "../graph/clone.ts";
import { type Inferred, inferTypes } from "../graph/infer.ts";
import { Names, Scope } from "../graph/scope.ts";
import { OnnxError } from "../onnx/errors.ts";
import type { FunctionDefinition, Graph, Model, Node } from "../onnx/model.ts";
import { ADAPTERS, LAST_CLASSIFIED_OPSET } from "./adapters/table.ts";
import { NodeLift } from "./node-lift.ts";
import { minIrVersion, operatorKnown, operatorStatus } from "./operators.ts";

/** Initializers need not be inputs from this IR version on; before it they are, and are constants all the same. */
const IR_WITHOUT_INITIALIZER_INPUTS = 4;

/**
 * Converts the model, its subgraphs and its functions to opset `target` of ai.onnx, in place; a model
 * that imports this opset or a newer one stays as it is. The IR version is raised to that of the opset.
 *
 * Names of inputs, outputs and weights stay. Models below opset 7 are converted as far as their
 * nodes say what they mean: nodes in training mode are refused.
 *
 * @returns what was done, for the report
 * @throws RangeError when `target` is past the last opset whose changes are known here (21)
 * @throws OnnxError `unsupported`, naming node and reason, when a node cannot be expressed in `target`;
 *   the model is then unchanged
 */
export async function liftOpset(model: Model, target: number): Promise<string[]> {
  if (!Number.isInteger(target) || target < 1 || target > LAST_CLASSIFIED_OPSET) {
    throw new RangeError(`opset: ${target} is not an opset from 1 to ${LAST_CLASSIFIED_OPSET}`);
  }
  const source = opsetVersion(model);
  if (source !== undefined && source >= target) return [];
  const lifted = cloneModel(model);
  const rewritten =
    source === undefined ? new Map<string, number>() : await liftGraphs(lifted, source, target);
  for (const definition of lifted.functions)
    await liftFunction(lifted, definition, target, rewritten);
  importOpset(lifted, "", target);

  const notes = [
    source === undefined ? `opset ${target} imported` : `opset ${source} lifted to ${target}`,
  ];
  if (rewritten.size > 0) {
    notes.push(
      `rewritten: ${[...rewritten].map(([opType, count]) => `${count} ${opType}`).join(", ")}`,
    );
  }
  notes.push(...raiseIrVersion(lifted, minIrVersion(target)));
  Object.assign(model, lifted);
  return notes;
}

/** Lifts the graph of a model and those nested in it; counts the nodes that were rewritten by op type. */
async function liftGraphs(
  model: Model,
  source: number,
  target: number,
): Promise<Map<string, number>> {
  const root = Scope.of(model.graph);
  const walk = new Walk(root, await inferTypes(model), new Names(model));
  for (let version = source + 1; version <= target; version++) {
    await walk.step(model.graph, root, version);
  }
  refuseRemoved(model.graph.nodes, source, target);
  return walk.rewritten;
}

class Walk {
  readonly rewritten = new Map<string, number>();
  readonly #scopes: ReadonlyMap<Graph, Scope>;
  readonly #inferred: Inferred;
  readonly #names: Names;

  constructor(root: Scope, inferred: Inferred, names: Names) {
    this.#scopes = new Map([...root.walk()].map((scope) => [scope.graph, scope]));
    this.#inferred = inferred;
    this.#names = names;
  }

  /** Lifts all nodes from opset `version` − 1 to `version`. A graph that an adapter made has its parent's scope. */
  async step(graph: Graph, parent: Scope, version: number): Promise<void> {
    const scope = this.#scopes.get(graph) ?? parent;
    const place = { graph, scope, inferred: this.#inferred, names: this.#names };
    const nodes: Node[] = [];
    for (const node of graph.nodes) {
      for (const body of subgraphs(node)) await this.step(body, scope, version);
      const { opType } = node;
      const adapter =
        node.domain === "" && Object.hasOwn(ADAPTERS, opType)
          ? ADAPTERS[opType]?.[version]
          : undefined;
      if (!adapter) {
        nodes.push(node);
        continue;
      }
      const lift = new NodeLift(node, version, place);
      if (node.attributes.some((attribute) => attribute.refAttrName)) {
        lift.refuse("it takes attributes from its function's");
      }
      await adapter(lift);
      nodes.push(...lift.nodes);
      if (lift.isChanged) this.rewritten.set(opType, (this.rewritten.get(opType) ?? 0) + 1);
    }
    graph.nodes = nodes;
  }
}

/**
 * A function is a graph without types whose constants are nodes.
 * Its own import of ai.onnx must agree with the model's.
 */
async function liftFunction(
  model: Model,
  definition: FunctionDefinition,
  target: number,
  rewritten: Map<string, number>,
): Promise<void> {
  const entry = definition.opsetImports.find(({ domain }) => domain === "");
  if (!entry || entry.version >= target) return;
  const untyped = (name: string) => ({ name, type: undefined });
  const graph: Graph = {
    name: definition.name,
    docString: "",
    nodes: definition.nodes,
    initializers: new Map(),
    sparseInitializers: [],
    inputs: definition.inputs.map(untyped),
    outputs: definition.outputs.map(untyped),
    valueInfos: definition.valueInfos,
    metadata: [],
  };
  const alone: Model = { ...model, graph, opsetImports: definition.opsetImports };
  for (const [opType, count] of await liftGraphs(alone, entry.version, target)) {
    rewritten.set(opType, (rewritten.get(opType) ?? 0) + count);
  }
  const constants = [...graph.initializers].map(([name, tensor]) =>
    makeNode("Constant", [], [name], { name, attributes: [makeTensorAttribute("value", tensor)] }),
  );
  definition.nodes = [...constants, ...graph.nodes];
  entry.version = target;
}

/** Operators that the source opset has and the target does not, and that no adapter replaced. */
function refuseRemoved(nodes: readonly Node[], source: number, target: number): void {
  for (const node of nodes) {
    if (
      operatorKnown(node.domain, node.opType, source) &&
      operatorStatus(node.domain, node.opType, target) === "removed"
    ) {
      throw new OnnxError(
        "unsupported",
        `${node.opType} "${node.name || (node.outputs[0] ?? "")}" cannot be lifted to opset ${target}: it was removed`,
      );
    }
    for (const body of subgraphs(node)) refuseRemoved(body.nodes, source, target);
  }
}

/**
 * From IR version 4 on an initializer that is also an input can be overridden by the caller. Before, it
 * was a constant that had to be listed, so the listing goes.
 */
function raiseIrVersion(model: Model, irVersion: number): string[] {
  if (model.irVersion >= irVersion) return [];
  const notes = [`IR version ${model.irVersion} raised to ${irVersion}`];
  if (model.irVersion < IR_WITHOUT_INITIALIZER_INPUTS) {
    const { graph } = model;
    graph.inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  }
  model.irVersion = irVersion;
  return notes;
}
