/**
 * @file Gradients through If: an If of the same condition, whose branches compute theirs anew and then differentiate it.
 *
 * The gradient of a branch is that of Σ output·g with respect to what the branch reads from around it; it is worked out
 * before the walk, which then only says what g is.
 */
import { makeInt, subgraphs } from "../graph/attributes.ts";
import { makeNode } from "../graph/build.ts";
import type { Attribute, Graph, Model, Node, ValueInfo } from "../onnx/model.ts";
import { emptyGraph } from "../onnx/read-graph.ts";
import type { Differentiated, DifferentiateOptions } from "./differentiate.ts";
import { type GradientGraph, isFloatType } from "./gradient-graph.ts";
import { dropUnused, normalise } from "./normalise.ts";
import { readBy } from "./paths.ts";

export const isIf = ({ opType, domain }: Node): boolean => opType === "If" && domain === "";

/** Contributes to the gradients of what the node's branches read. */
export type BranchGradient = (outputGradients: readonly (string | undefined)[]) => void;

type Differentiate = (model: Model, options: DifferentiateOptions) => Promise<Differentiated>;

/** The Ifs among the nodes. @throws what differentiating a branch throws, naming the node in the branch */
export async function branchGradients(
  graph: GradientGraph,
  model: Model,
  path: readonly Node[],
  differentiate: Differentiate,
): Promise<Map<Node, BranchGradient>> {
  const gradients = new Map<Node, BranchGradient>();
  for (const node of path) {
    if (isIf(node)) gradients.set(node, await gradientOfIf(graph, model, node, differentiate));
  }
  return gradients;
}

async function gradientOfIf(
  graph: GradientGraph,
  model: Model,
  node: Node,
  differentiate: Differentiate,
): Promise<BranchGradient> {
  const read = [...new Set(subgraphs(node).flatMap(readFromAround))];
  const wanted = read.filter(
    (name) => graph.needsGradient(name) && isFloatType(graph.elementType(name)),
  );
  /** By output; `undefined` for one that has no gradient. */
  const incoming = node.outputs.map((name, i) =>
    graph.needsGradient(name) ? graph.names.fresh(`hone.If.incoming.${i}`) : undefined,
  );
  const attributes: Attribute[] = [];
  for (const attribute of node.attributes) {
    if (attribute.type !== "graph") continue;
    const branch = { graph, model, body: attribute.value, wanted, incoming };
    attributes.push({ ...attribute, value: await gradientOfBranch(branch, read, differentiate) });
  }
  return (outputGradients) => {
    for (const [i, name] of incoming.entries()) {
      const output = node.outputs[i] ?? "";
      if (name === undefined) continue;
      graph.emit("Identity", [outputGradients[i] ?? graph.zeros(output)]);
      const last = graph.nodes.at(-1);
      if (last) last.outputs = [name];
      graph.setType(name, graph.type(output));
    }
    const outputs = wanted.map((name) => graph.names.fresh(`${name}.branch.gradient`));
    const condition = node.inputs[0] ?? "";
    graph.nodes.push(makeNode("If", [condition], outputs, { name: outputs[0] ?? "", attributes }));
    for (const [i, name] of wanted.entries()) {
      const { elementType, shape } = graph.type(name);
      graph.setType(outputs[i] ?? "", { elementType, shape });
      graph.contribute(name, outputs[i] ?? "");
    }
  };
}

interface Branch {
  graph: GradientGraph;
  model: Model;
  body: Graph;
  /** What gradients are wanted of, in the order of the result's outputs. */
  wanted: readonly string[];
  incoming: readonly (string | undefined)[];
}

/** A branch of the backward If. */
async function gradientOfBranch(
  { graph, model, body, wanted, incoming }: Branch,
  read: readonly string[],
  differentiate: Differentiate,
): Promise<Graph> {
  const around = new Set([...read, ...wanted]);
  const info = (name: string, like = name): ValueInfo => {
    const { elementType = 1, shape } = graph.type(like);
    return { name, type: { kind: "tensor", elementType, shape: shape && [...shape] } };
  };
  const alone = { ...emptyGraph(), name: `${body.name}.gradient` };
  alone.nodes = [...body.nodes];
  alone.initializers = new Map(body.initializers);
  for (const name of around) {
    const constant = model.graph.initializers.get(name);
    if (constant && !wanted.includes(name)) alone.initializers.set(name, constant);
    else alone.inputs.push(info(name));
  }
  const terms = incoming.flatMap((name, i) => {
    const output = body.outputs[i];
    if (name === undefined || !output) return [];
    alone.inputs.push({ ...output, name });
    const [weighted, sum] = [`${name}.weighted`, `${name}.sum`];
    alone.nodes.push(
      makeNode("Mul", [output.name, name], [weighted], { name: weighted }),
      makeNode("ReduceSum", [weighted], [sum], {
        name: sum,
        attributes: [makeInt("keepdims", 0)],
      }),
    );
    return [sum];
  });
  alone.nodes.push(makeNode("Sum", terms, [LOSS], { name: LOSS }));
  alone.outputs = [{ name: LOSS, type: { kind: "tensor", elementType: 1, shape: [] } }];
  const whole = await normalise({ ...model, graph: alone });
  const { model: found, gradients } = await differentiate(whole, {
    loss: LOSS,
    parameters: wanted,
    target: graph.target,
  });
  const result = found.graph;
  result.outputs = wanted.map((name) => info(gradients.get(name) ?? "", name));
  dropUnused(found);
  for (const name of around) result.initializers.delete(name);
  result.inputs = [];
  result.valueInfos = [];
  const made = new Set(madeWithin(result));
  return renamed(result, new Map([...made].map((name) => [name, graph.names.fresh(name)])));
}

const LOSS = "hone.If.loss";

function readFromAround(body: Graph): string[] {
  const made = new Set(madeIn(body));
  return [...body.nodes.flatMap(readBy), ...body.outputs.map(({ name }) => name)].filter(
    (name) => !made.has(name),
  );
}

function madeIn(body: Graph): string[] {
  return [...body.initializers.keys(), ...body.nodes.flatMap(({ outputs }) => outputs)].filter(
    (name) => name !== "",
  );
}

/** In its nodes' subgraphs too. */
function madeWithin(body: Graph): string[] {
  return [...madeIn(body), ...body.nodes.flatMap(subgraphs).flatMap(madeWithin)];
}

/** With other names for what is made in it: those of the forward branch are taken. */
function renamed(body: Graph, names: ReadonlyMap<string, string>): Graph {
  const as = (name: string): string => names.get(name) ?? name;
  const values = (infos: readonly ValueInfo[]): ValueInfo[] =>
    infos.map((info) => ({ ...info, name: as(info.name) }));
  return {
    ...body,
    initializers: new Map(
      [...body.initializers].map(([name, tensor]) => [as(name), { ...tensor, name: as(name) }]),
    ),
    outputs: values(body.outputs),
    nodes: body.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(as),
      outputs: node.outputs.map(as),
      attributes: node.attributes.map((attribute) =>
        attribute.type === "graph"
          ? { ...attribute, value: renamed(attribute.value, names) }
          : attribute,
      ),
    })),
  };
}
