/**
 * @file Simplification: the same answers from fewer nodes, as onnxsim, onnxslim and ONNX Runtime's basic
 * optimizations make them. Weights stay lazy.
 */
import { subgraphs } from "../graph/attributes.ts";
import { emptyReport, type PassReport, type Simplification } from "../graph/report.ts";
import type { Dimension, Graph, Model, Node } from "../onnx/model.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { fixInputShapes } from "./input-shapes.ts";
import { chosenPasses, foldingLimit, type SimplifyOptions } from "./options.ts";
import type { Subject } from "./pass.ts";
import { PASSES } from "./passes.ts";
import { makeNamesUnique } from "./unique-names.ts";
import { setDeclarationsAside, ValueTypes } from "./value-types.ts";
import { OVERRIDABLE_IR } from "./wiring.ts";

/** Each round takes something away, so there is an end; real models have none to do after five. */
const MAX_ROUNDS = 50;

/**
 * Simplifies a model in place, round by round until a round finds nothing to do.
 *
 * Inputs and outputs keep their names, and all answers stay what they are; only the two `fuse_` passes, and
 * constants that another build of ONNX Runtime computes, round differently. A shape counts as known where ONNX Runtime
 * holds callers to it (the inputs' fixed sizes), not where the model merely declares it. Inputs with a default value
 * that callers may override are no constants.
 *
 * @param runtime computes constants; without it only those that follow from shapes are folded
 * @throws UnknownNameError for `input_shapes` of inputs that the model does not have
 * @throws RangeError for passes that do not exist and sizes that cannot be
 */
export async function simplifyModel(
  model: Model,
  options: SimplifyOptions,
  runtime?: Runtime,
): Promise<PassReport> {
  const names = chosenPasses(options);
  const foldConstantsLimit = foldingLimit(options);
  fixInputShapes(model, options.input_shapes);
  makeNamesUnique(model);
  const before = opTypes(model.graph);
  const putBack = setDeclarationsAside(model);
  const report = emptyReport();
  const subject: Subject = {
    model,
    types: await ValueTypes.of(model),
    runtime,
    foldConstantsLimit,
    unfoldable: new Set(),
    changed: report.changed,
    notes: new Set(),
  };
  const changes = new Map(names.map((name) => [name, 0]));
  let rounds = 0;
  for (let isDone = false; !isDone && rounds < MAX_ROUNDS; rounds++) {
    isDone = true;
    if (rounds > 0) subject.types = await ValueTypes.of(model);
    for (const name of names) {
      const count = await PASSES[name](subject);
      changes.set(name, (changes.get(name) ?? 0) + count);
      if (count > 0) isDone = false;
    }
  }
  const outputShapes = options.input_shapes && (await knownOutputShapes(model));
  putBack();
  if (outputShapes) declareOutputs(model, outputShapes);
  const after = opTypes(model.graph);
  const simplification: Simplification = {
    nodesBefore: sum(before),
    nodesAfter: sum(after),
    opTypes: compared(before, after),
    passes: [...changes].map(([name, count]) => ({ name, changes: count })),
    rounds,
  };
  const isChanged = simplification.passes.some((pass) => pass.changes > 0);
  if (isChanged && model.irVersion < OVERRIDABLE_IR) raiseVersion(model, subject.notes);
  if (!isChanged) subject.notes.add("nothing to do: these passes find nothing to simplify");
  report.notes.push(...subject.notes);
  return { ...report, simplification };
}

/** Older versions want each initializer among the inputs; from here on those would be defaults that callers override. */
function raiseVersion(model: Model, notes: Set<string>): void {
  const { graph } = model;
  notes.add(`IR version ${model.irVersion} → ${OVERRIDABLE_IR}: initializers are no inputs there`);
  graph.inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  model.irVersion = OVERRIDABLE_IR;
}

async function knownOutputShapes(model: Model): Promise<Map<string, Dimension[]>> {
  const types = await ValueTypes.of(model);
  const shapes = new Map<string, Dimension[]>();
  for (const { name } of model.graph.outputs) {
    const shape = types.shape(name);
    if (shape) {
      shapes.set(
        name,
        shape.map((dim) => (typeof dim === "number" ? dim : undefined)),
      );
    }
  }
  return shapes;
}

function declareOutputs({ graph }: Model, shapes: ReadonlyMap<string, Dimension[]>): void {
  for (const { name, type } of graph.outputs) {
    if (type?.kind === "tensor") type.shape = shapes.get(name);
  }
}

/** How many nodes of each op type there are, in subgraphs too. */
function opTypes(graph: Graph): Map<string, number> {
  const counts = new Map<string, number>();
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      counts.set(node.opType, (counts.get(node.opType) ?? 0) + 1);
      for (const body of subgraphs(node)) visit(body.nodes);
    }
  };
  visit(graph.nodes);
  return counts;
}

function compared(before: Map<string, number>, after: Map<string, number>) {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names.map((name) => ({
    opType: name,
    before: before.get(name) ?? 0,
    after: after.get(name) ?? 0,
  }));
}

const sum = (counts: Map<string, number>): number =>
  [...counts.values()].reduce((total, count) => total + count, 0);
