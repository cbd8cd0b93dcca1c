/** @file The form's texts as the API's request: options of optimizer, schedule and others lie one level down. */
import type { TrainingRequest } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { optionValues, type Texts } from "../parts/option-fields.tsx";
import type { Schema } from "../parts/schema.ts";

type Schemas = Readonly<Record<string, Schema>>;

/** As the request has them, with dots. Seen at once; the others unfold. */
export const FIRST = [
  "loss",
  "optimizer.type",
  "optimizer.lr",
  "schedule.type",
  "epochs",
  "batch_size",
  "world_size",
  "mode",
  "executor",
  "validation.fraction",
];
const LATER = [
  "steps",
  "seed",
  "name",
  "label",
  "inputs",
  "optimizer.weight_decay",
  "optimizer.momentum",
  "schedule.warmup_steps",
  "allreduce.algorithm",
  "allreduce.compression",
  "runners.compression",
  "max_staleness",
  "local_steps",
  "outer_lr",
  "outer_momentum",
  "checkpoint_every",
  "clip_norm",
  "accumulation_steps",
  "shuffle",
  "keep_sparsity",
  "qat",
  "lora",
  "teacher",
  "trainable",
  "frozen",
  "batch_normalization",
];

/** The options of the form, in its order, by label: those that the service has. */
export function fieldsOf(schemas: Schemas): Record<string, Schema> {
  return Object.fromEntries(
    [...FIRST, ...LATER].flatMap((label) => {
      const schema = schemaOf(schemas, label);
      return schema ? [[label, schema] as const] : [];
    }),
  );
}

/** The form's texts by label, as a request; what is empty is left to the service. @param fields by label */
export function trainingRequest(
  fields: Schemas,
  texts: Texts,
  resume: { job: string; step: number } | undefined,
): TrainingRequest {
  const body: Record<string, unknown> = {};
  for (const name of ["model", "dataset"]) if (texts[name]) body[name] = texts[name];
  const values = optionValues(fields, Object.keys(fields), texts);
  for (const [label, value] of Object.entries(values)) {
    const [name = "", member] = label.split(".");
    if (member === undefined) body[name] = value;
    else body[name] = { ...(body[name] as object | undefined), [member]: value };
  }
  // These two need a type, and say what it is by default.
  addDefault(body, "optimizer", "adam");
  addDefault(body, "schedule", "constant");
  if (resume) body["resume_from"] = resume;
  return body as TrainingRequest;
}

function addDefault(body: Record<string, unknown>, name: string, type: string): void {
  const given = body[name];
  if (typeof given === "object") body[name] = { type, ...given };
}

/** Of a member: the first form of the option that has it. Of an option with several: the one that can be chosen from. */
function schemaOf(schemas: Schemas, label: string): Schema | undefined {
  const [name = "", member] = label.split(".");
  const option = schemas[name];
  if (!option) return undefined;
  const forms = option.anyOf ?? [option];
  if (member === undefined) {
    const choice = forms.find((form) => form.enum);
    return choice ? { ...choice, ...describedAs(option) } : option;
  }
  const found = forms.find(({ properties }) => properties?.[member])?.properties?.[member];
  return found && (member === "type" || member === "fraction")
    ? { ...found, ...describedAs(option) }
    : found;
}

function describedAs({ description }: Schema): Pick<Schema, "description"> {
  return description === undefined ? {} : { description };
}
