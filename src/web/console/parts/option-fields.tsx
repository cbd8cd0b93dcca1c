/** @file An operation's options as fields: some are seen at once, the others unfold. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { DatasetChoice } from "../datasets/dataset-choice.tsx";
import { described } from "./described.tsx";
import { OptionField, optionValue } from "./option-field.tsx";
import type { Schema } from "./schema.ts";

/** What is in the fields, by option. */
export type Texts = Readonly<Record<string, string>>;

export function OptionFields({
  schemas,
  names,
  first,
  required = [],
  texts,
  onChange,
  children,
}: {
  schemas: Readonly<Record<string, Schema>>;
  /** In the order of the form; those that the service does not have are left out. */
  names: readonly string[];
  /** Seen at once. */
  first: readonly string[];
  required?: readonly string[];
  texts: Texts;
  onChange: (texts: Texts) => void;
  /** Fields before these. */
  children?: ComponentChildren;
}) {
  // What is given beforehand is seen.
  const [unfolded] = useState(() => names.some((name) => !first.includes(name) && texts[name]));
  const field = (name: string) => {
    const schema = schemas[name];
    if (!schema) return null;
    const shared = {
      value: texts[name] ?? "",
      onChange: (value: string) => onChange({ ...texts, [name]: value }),
      required: required.includes(name),
    };
    return isDataset(name) ? (
      <DatasetChoice key={name} label={name} hint={described(schema.description)} {...shared} />
    ) : (
      <OptionField key={name} name={name} schema={schema} {...shared} />
    );
  };
  return (
    <>
      <div class="fields">
        {children}
        {names.filter((name) => first.includes(name)).map(field)}
      </div>
      <details open={unfolded}>
        <summary>More options</summary>
        <div class="fields">{names.filter((name) => !first.includes(name)).map(field)}</div>
      </details>
    </>
  );
}

/** What the fields ask for; what is left empty is the service's default. */
export function optionValues(
  schemas: Readonly<Record<string, Schema>>,
  names: readonly string[],
  texts: Texts,
): Record<string, unknown> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const schema = schemas[name];
      const value = schema && optionValue(schema, texts[name] ?? "");
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

const isDataset = (name: string) => /(^|_)dataset$/.test(name);
