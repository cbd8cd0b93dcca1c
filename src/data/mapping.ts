/** @file Which field of a dataset feeds which input of a model, and which is the label: chosen, and checked to fit. */
import { nearestNames } from "../graph/selection.ts";
import { DataType, dataTypeName, elementCount } from "../onnx/data-type.ts";
import type { Dimension, ValueInfo } from "../onnx/model.ts";
import { type DatasetDescription, DatasetError, type DatasetField, fieldText } from "./dataset.ts";
import { isFloat } from "./numbers.ts";

/** A field, and what its numbers are multiplied by before the model sees them (1/255 for pixels). */
export interface FieldChoice {
  field: string;
  scale?: number | undefined;
}

export interface MappingOptions {
  /** Fields by the model's inputs. An input that is not named takes the field of its name, else the only one that fits. */
  inputs?: Readonly<Record<string, string | FieldChoice>> | undefined;
  /** The label's field. Default: `label`, else the only one that is left. */
  label?: string | undefined;
  /** Whether a label is needed at all. */
  labelled: boolean;
}

export interface MappedInput {
  input: string;
  field: DatasetField;
  /** 1 where nothing is multiplied. */
  scale: number;
}

export interface FieldMapping {
  inputs: MappedInput[];
  label: DatasetField | undefined;
}

const mismatch = (message: string) => new DatasetError("dataset_mismatch", `data: ${message}`);

/**
 * @param inputs what the model is fed; the first dimension is the batch
 * @throws DatasetError `dataset_mismatch` naming field and input, with the type and shape of both
 */
export function mapFields(
  dataset: Pick<DatasetDescription, "fields">,
  inputs: readonly ValueInfo[],
  options: MappingOptions,
): FieldMapping {
  const { fields } = dataset;
  const named = new Map(Object.entries(options.inputs ?? {}));
  for (const name of named.keys()) {
    if (inputs.some((input) => input.name === name)) continue;
    throw mismatch(`the model has no input "${name}"${nearest(name, inputs)}`);
  }
  const label = options.labelled ? givenLabel(fields, options.label) : undefined;
  const mapped = new Map<string, MappedInput>();
  for (const input of inputs) {
    const choice = named.get(input.name) ?? input.name;
    const { field: name, scale = 1 } = typeof choice === "string" ? { field: choice } : choice;
    const field = fields.find((each) => each.name === name);
    if (!field && named.has(input.name)) throw noField(name, fields);
    // A field that is the label feeds an input only where that is said.
    if (!field || (field === label && !named.has(input.name))) continue;
    checkFits(field, input, scale);
    mapped.set(input.name, { input: input.name, field, scale });
  }
  const used = () => new Set([label, ...Array.from(mapped.values(), ({ field }) => field)]);
  for (const input of inputs) {
    if (mapped.has(input.name)) continue;
    const free = fields.filter((field) => !used().has(field));
    mapped.set(input.name, {
      input: input.name,
      field: onlyFitting(input, free, fields),
      scale: 1,
    });
  }
  const ordered = inputs.flatMap(({ name }) => mapped.get(name) ?? []);
  if (!options.labelled || label) return { inputs: ordered, label };
  const left = fields.filter((field) => !used().has(field));
  const [only] = left;
  if (!only || left.length > 1) {
    throw mismatch(
      `no field is named "label" and ${left.length} are left (${listOf(left)}): say which is the label`,
    );
  }
  return { inputs: ordered, label: only };
}

function givenLabel(
  fields: readonly DatasetField[],
  name: string | undefined,
): DatasetField | undefined {
  const field = fields.find((each) => each.name === (name ?? "label"));
  if (!field && name !== undefined) throw noField(name, fields);
  return field;
}

function noField(name: string, fields: readonly DatasetField[]): DatasetError {
  return mismatch(`the dataset has no field "${name}"${nearest(name, fields)}`);
}

function nearest(name: string, among: readonly { name: string }[]): string {
  const names = among.map((each) => each.name);
  const near = nearestNames(name, names, 3);
  const shown = (near.length > 0 ? near : names.slice(0, 8)).map((each) => `"${each}"`);
  return `; ${near.length > 0 ? "nearest" : "there are"}: ${shown.join(", ")}`;
}

function onlyFitting(
  input: ValueInfo,
  free: readonly DatasetField[],
  all: readonly DatasetField[],
): DatasetField {
  const fitting = free.filter((field) => whyNot(field, input, 1) === undefined);
  const [only] = fitting;
  if (only && fitting.length === 1) return only;
  const what =
    fitting.length > 1 ? `${listOf(fitting)} all fit` : `none of ${listOf(all)} fits and is free`;
  throw mismatch(
    `input ${inputText(input)} has no field of its name, and ${what}: say which feeds it`,
  );
}

function checkFits(field: DatasetField, input: ValueInfo, scale: number): void {
  const reason = whyNot(field, input, scale);
  if (reason === undefined) return;
  throw mismatch(`field ${fieldText(field)} does not fit input ${inputText(input)}: ${reason}`);
}

/** Why the field cannot feed the input; `undefined` when it can. */
function whyNot(field: DatasetField, { type }: ValueInfo, scale: number): string | undefined {
  if (type?.kind !== "tensor") return "the input is no tensor";
  const kind = dataTypeName(type.elementType);
  if (type.elementType === DataType.string) return "the input takes text";
  if (!Number.isFinite(scale) || scale === 0) return `a scale of ${scale} is none`;
  const floats = kind.includes("float");
  if (scale !== 1 && !floats) return `only floats are scaled, the input is ${kind}`;
  if (!floats && isFloat(field.dtype)) return `${field.dtype} as ${kind} would lose fractions`;
  if ((kind === "bool") !== (field.dtype === "bool") && !floats) {
    return `${field.dtype} is not taken for ${kind}`;
  }
  return whyNotShape(field.shape, type.shape);
}

/** A row may come in another shape of as many elements, where the model fixes all sizes. */
function whyNotShape(
  row: readonly number[],
  declared: readonly Dimension[] | undefined,
): string | undefined {
  if (!declared) return undefined;
  if (declared.length === 0) return "the input is a scalar, it has no batch";
  const sizes = declared.slice(1);
  const same = sizes.length === row.length;
  if (same && sizes.every((size, axis) => typeof size !== "number" || size === row[axis])) {
    return undefined;
  }
  if (sizes.every((size) => typeof size === "number")) {
    const [need, have] = [elementCount(sizes), elementCount(row)];
    return need === have ? undefined : `a row needs ${need} elements and has ${have}`;
  }
  return `a row needs [${sizes.map((size) => size ?? "?").join(", ")}]`;
}

function inputText({ name, type }: ValueInfo): string {
  if (type?.kind !== "tensor") return `"${name}"`;
  const shape = type.shape?.map((dim) => dim ?? "?").join(", ");
  return `"${name}" ${dataTypeName(type.elementType)} ${shape === undefined ? "of any shape" : `[${shape}]`}`;
}

function listOf(fields: readonly DatasetField[]): string {
  return fields.length === 0 ? "no field" : fields.map(fieldText).join(", ");
}

/**
 * Holds a second dataset against the first: what was mapped by the one is fed from the other too.
 * @throws DatasetError `dataset_mismatch` naming the field, with its type and shape in both
 */
export function checkAlike(
  first: Pick<DatasetDescription, "fields">,
  second: Pick<DatasetDescription, "fields">,
  names: Iterable<string>,
): void {
  for (const name of names) {
    const [a, b] = [first, second].map(({ fields }) => fields.find((each) => each.name === name));
    if (!a || !b) throw mismatch(`the second dataset has no field "${name}"`);
    if (fieldText(a) === fieldText(b)) continue;
    throw mismatch(`field ${fieldText(a)} is ${fieldText(b)} in the second dataset`);
  }
}
