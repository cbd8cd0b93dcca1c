/** @file The model, and its teacher, as training needs them: bound to the data's fields and normalised. */
import { normalise } from "../autodiff/normalise.ts";
import { cloneModel } from "../graph/clone.ts";
import { inferTypes } from "../graph/infer.ts";
import { Names, Scope } from "../graph/scope.ts";
import { requireKnown } from "../graph/selection.ts";
import type { Model } from "../onnx/model.ts";
import { alreadyQuantized } from "../quantize/quantized.ts";
import { bindFields } from "./batch-fields.ts";
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
  const base = await bound(model, output, data);
  return {
    base,
    output,
    teacher: teacher && (await boundTeacher(teacher, data)),
    hasLabel: LABEL in data.fields,
    hasTeacherField: TEACHER in data.fields,
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

async function bound(model: Model, output: string, data: TrainingData): Promise<Model> {
  const copy = cloneModel(model);
  copy.graph.outputs = copy.graph.outputs.filter(({ name }) => name === output);
  bindFields(copy, new Names(copy), data);
  const result = await normalise(copy);
  const read = new Set(result.graph.nodes.flatMap(({ inputs }) => inputs));
  for (const { name } of result.graph.inputs) {
    if (!read.has(name) || name in data.fields) continue;
    const fields = Object.keys(data.fields).join(", ") || "none";
    throw new RangeError(`train: the model's input "${name}" is not fed; the data has ${fields}`);
  }
  await checkBatch(result, output);
  return result;
}

/** The nodes of a model that was exported for one batch size may hold on to it. */
async function checkBatch(model: Model, output: string): Promise<void> {
  const inferred = await inferTypes(model);
  const first = inferred.shape(Scope.of(model.graph), output)?.[0];
  if (typeof first !== "number") return;
  throw new RangeError(
    `train: the model's nodes fix the batch (its output "${output}" has ${first} rows whatever is fed): export it with a dynamic batch`,
  );
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
  return await bound(teacher, output, { fields: inputs });
}
