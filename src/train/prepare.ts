/** @file The model, and its teacher, as training needs them: bound to the data's fields and normalised. */
import { normalise } from "../autodiff/normalise.ts";
import { readBy } from "../autodiff/paths.ts";
import { cloneModel } from "../graph/clone.ts";
import { inferTypes } from "../graph/infer.ts";
import { Names, Scope } from "../graph/scope.ts";
import { requireKnown } from "../graph/selection.ts";
import { nodeLabel } from "../graph/weights.ts";
import type { Model } from "../onnx/model.ts";
import { alreadyQuantized } from "../quantize/quantized.ts";
import { bindFields } from "./batch-fields.ts";
import { freeBatch } from "./free-batch.ts";
import type { TrainingSettings } from "./options.ts";
import { LABEL, TEACHER, type TrainingData } from "./step-plan.ts";

export interface Prepared {
  /** Normalised, with the data's fields as inputs and the loss's output as its only one. */
  base: Model;
  /** The output that the loss reads. */
  output: string;
  /** The normalised teacher, with the same inputs; its first output is compared. */
  teacher: Model | undefined;
  hasLabel: boolean;
  /** The teacher's outputs are a field. */
  hasTeacherField: boolean;
}

/** @throws RangeError when the model is quantized, lacks the loss's output, or does not fit the data */
export async function prepare(
  model: Model,
  settings: TrainingSettings,
  data: TrainingData,
  teacher: Model | undefined,
): Promise<Prepared> {
  refuseQuantized(model);
  const { output: wanted } = settings.loss;
  const outputs = model.graph.outputs.map(({ name }) => name);
  if (wanted !== undefined) requireKnown("output", [wanted], new Set(outputs));
  const output = wanted ?? outputs[0];
  if (output === undefined) throw new RangeError("train: the model has no outputs");
  const base = await bound(model, output, data, settings.loss.type !== "output");
  return {
    base,
    output,
    teacher: teacher && (await boundTeacher(teacher, data)),
    hasLabel: Object.hasOwn(data.fields, LABEL),
    hasTeacherField: Object.hasOwn(data.fields, TEACHER),
  };
}

function refuseQuantized(model: Model): void {
  const { forms } = alreadyQuantized(model);
  const integer = forms.filter(({ form }) => form !== "float16").map(({ form }) => form);
  if (integer.length === 0) return;
  throw new RangeError(
    `train: the model is quantized already (${integer.join(", ")}): train the float model that it was made from`,
  );
}

/** @param hasRows the output has one row for each of the batch; an output that is a loss need not */
async function bound(
  model: Model,
  output: string,
  data: TrainingData,
  hasRows: boolean,
): Promise<Model> {
  const copy = cloneModel(model);
  copy.graph.outputs = copy.graph.outputs.filter(({ name }) => name === output);
  const batch = declaredBatch(copy, data);
  bindFields(copy, new Names(copy), data);
  let result = await normalise(copy);
  checkFed(result, data);
  await checkWindows(result);
  if (!hasRows) return result;
  if (batch !== undefined && (await fixedRows(result, output)) !== undefined) {
    await freeBatch(copy, batch);
    result = await normalise(copy);
  }
  const rows = await fixedRows(result, output);
  if (rows !== undefined) {
    throw new RangeError(
      `train: the model's nodes fix the batch (its output "${output}" has ${rows} rows whatever is fed): export it with a dynamic batch`,
    );
  }
  return result;
}

/** The first size of the fed inputs, where the model fixes it. */
function declaredBatch({ graph }: Model, { fields }: TrainingData): number | undefined {
  const infos = graph.inputs.filter(({ name }) => Object.hasOwn(fields, name));
  const sizes = infos.map(({ type }) => (type?.kind === "tensor" ? type.shape?.[0] : undefined));
  return sizes.find((size) => typeof size === "number");
}

/** How many rows the output has, if that does not depend on the batch. */
async function fixedRows(model: Model, output: string): Promise<number | undefined> {
  const inferred = await inferTypes(model);
  const first = inferred.shape(Scope.of(model.graph), output)?.[0];
  return typeof first === "number" ? first : undefined;
}

const WINDOWED: ReadonlySet<string> = new Set(["AveragePool", "Conv", "MaxPool"]);

/** Rows may be too small for a net that halves them again and again. */
async function checkWindows(model: Model): Promise<void> {
  const inferred = await inferTypes(model);
  const scope = Scope.of(model.graph);
  for (const node of model.graph.nodes) {
    if (!WINDOWED.has(node.opType)) continue;
    const [before, after] = [node.inputs[0] ?? "", node.outputs[0] ?? ""].map((name) =>
      inferred.shape(scope, name),
    );
    if (!after?.some((size) => typeof size === "number" && size < 1)) continue;
    const sizes = before?.map((size) => size ?? "?").join(", ");
    throw new RangeError(
      `train: the data's rows are too small for the model: ${nodeLabel(node)} gets [${sizes}]`,
    );
  }
}

function checkFed({ graph }: Model, { fields }: TrainingData): void {
  const read = new Set(graph.nodes.flatMap(readBy));
  for (const { name } of graph.inputs) {
    if (!read.has(name) || Object.hasOwn(fields, name)) continue;
    const list = Object.keys(fields).join(", ") || "none";
    throw new RangeError(`train: the model's input "${name}" is not fed; the data has ${list}`);
  }
}

/** A teacher with one input reads what the student's one input reads, whatever its name. */
async function boundTeacher(teacher: Model, data: TrainingData): Promise<Model> {
  const own = teacher.graph.inputs.filter(({ name }) => !teacher.graph.initializers.has(name));
  const fields = Object.keys(data.fields).filter((name) => name !== LABEL && name !== TEACHER);
  const [input] = own;
  const [field] = fields;
  const inputs: TrainingData["fields"] =
    input && own.length === 1 && fields.length === 1 && field !== undefined
      ? { [input.name]: data.fields[field] ?? { dtype: "float32", shape: [] } }
      : Object.fromEntries(
          Object.entries(data.fields).filter(([name]) => own.some((info) => info.name === name)),
        );
  const output = teacher.graph.outputs[0]?.name;
  if (output === undefined) throw new RangeError("train: the teacher has no outputs");
  return await bound(teacher, output, { fields: inputs }, true);
}
