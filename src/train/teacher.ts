/** @file A teacher's graph as a frozen part of the step: same inputs, names of its own. */
import { subgraphs } from "../graph/attributes.ts";
import { opsetVersion } from "../graph/build.ts";
import { cloneModel } from "../graph/clone.ts";
import type { Graph, Model } from "../onnx/model.ts";
import { liftOpset } from "../opset/lift.ts";

const PREFIX = "hone.teacher/";

/**
 * Adds the teacher's nodes and weights to the student's graph.
 *
 * @param teacher normalised, with inputs that are bound to the same fields as the student's
 * @returns the names of the teacher's outputs in the student's graph, in their order
 * @throws RangeError when the teacher has an input that the student has not
 */
export async function mergeTeacher(student: Model, teacher: Model): Promise<string[]> {
  const copy = cloneModel(teacher);
  await sameOpset(student, copy);
  const shared = new Set(student.graph.inputs.map(({ name }) => name));
  for (const { name } of copy.graph.inputs) {
    if (shared.has(name)) continue;
    throw new RangeError(
      `train: the teacher's input "${name}" is no input of the model: ${[...shared].join(", ")}`,
    );
  }
  const rename = (name: string): string =>
    name === "" || shared.has(name) ? name : `${PREFIX}${name}`;
  renameAll(copy.graph, rename);
  student.graph.nodes.push(...copy.graph.nodes);
  for (const tensor of copy.graph.initializers.values()) {
    student.graph.initializers.set(tensor.name, tensor);
  }
  student.graph.valueInfos.push(...copy.graph.valueInfos);
  for (const { domain, version } of copy.opsetImports) {
    if (!student.opsetImports.some((entry) => entry.domain === domain)) {
      student.opsetImports.push({ domain, version });
    }
  }
  return copy.graph.outputs.map(({ name }) => rename(name));
}

/** One model imports one version of an opset: the older of both is lifted. */
async function sameOpset(student: Model, teacher: Model): Promise<void> {
  const [ours = 0, theirs = 0] = [opsetVersion(student), opsetVersion(teacher)];
  if (ours < theirs) await liftOpset(student, theirs);
  if (theirs < ours) await liftOpset(teacher, ours);
}

function renameAll(graph: Graph, rename: (name: string) => string): void {
  for (const node of graph.nodes) {
    node.name = rename(node.name);
    node.inputs = node.inputs.map(rename);
    node.outputs = node.outputs.map(rename);
    for (const body of subgraphs(node)) {
      renameAll(body, rename);
      for (const info of [...body.inputs, ...body.outputs]) info.name = rename(info.name);
    }
  }
  graph.initializers = new Map(
    [...graph.initializers.values()].map((tensor) => [
      rename(tensor.name),
      { ...tensor, name: rename(tensor.name) },
    ]),
  );
  for (const info of graph.valueInfos) info.name = rename(info.name);
}
