/** @file A form field made from an option's schema, and the option's value from the field's text. */
import { Checks } from "./checks.tsx";
import { Choice, NumberField, TextArea, TextField } from "./fields.tsx";
import { described } from "./described.tsx";
import type { Schema } from "./schema.ts";

/** `some`, `names`: one a line. `json`: what has several forms; text that is no JSON stands for itself. */
type Kind = "choice" | "some" | "flag" | "number" | "names" | "json";

export function OptionField({
  name,
  schema,
  value,
  onChange,
  required = false,
}: {
  name: string;
  schema: Schema;
  value: string;
  onChange: (value: string) => void;
  required?: boolean;
}) {
  const { description, minimum, exclusiveMinimum, maximum, example } = schema;
  const shared = { label: name, value, onChange, required, hint: described(description) };
  const placeholder = example === undefined ? undefined : `e.g. ${exampleText(example)}`;
  switch (kindOf(schema)) {
    case "choice":
      return (
        <Choice
          {...shared}
          options={[["", "default"], ...available(schema).map((each) => [each, each] as const)]}
        />
      );
    case "some":
      return (
        <Checks
          legend={name}
          options={available(schema.items ?? {})}
          chosen={lines(value)}
          onChange={(chosen) => onChange(chosen.join("\n"))}
          hint={described(description)}
        />
      );
    case "flag":
      return (
        <Choice
          {...shared}
          options={[
            ["", "default"],
            ["true", "yes"],
            ["false", "no"],
          ]}
        />
      );
    case "number":
      return (
        <NumberField
          {...shared}
          min={minimum ?? exclusiveMinimum}
          max={maximum}
          whole={schema.type === "integer"}
          placeholder={placeholder}
        />
      );
    case "names":
      return <TextArea {...shared} placeholder={placeholder} />;
    default:
      return <TextField {...shared} placeholder={placeholder} />;
  }
}

/** @returns undefined for an empty field: the service's default */
export function optionValue(schema: Schema, text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  switch (kindOf(schema)) {
    case "flag":
      return trimmed === "true";
    case "number":
      return Number(trimmed);
    case "choice":
      return schema.enum?.find((each) => String(each) === trimmed) ?? trimmed;
    case "some":
    case "names":
      return lines(trimmed);
    default:
      return jsonOrText(trimmed);
  }
}

/** What a field has in it for a value that was asked for before. */
export function optionText(value: unknown): string {
  if (typeof value === "string") return value;
  const names = Array.isArray(value) && value.every((each) => typeof each === "string");
  return names ? value.join("\n") : JSON.stringify(value);
}

const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The values that can be chosen. */
export function available({ enum: values = [] }: Schema): string[] {
  return values.map(String);
}

function kindOf({ type, enum: values, items }: Schema): Kind {
  if (values) return "choice";
  if (type === "boolean") return "flag";
  if (type === "integer" || type === "number") return "number";
  if (type === "array" && items?.enum) return "some";
  if (type === "array" && items?.type === "string") return "names";
  return "json";
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const exampleText = (example: unknown) =>
  Array.isArray(example) ? example.join(", ") : JSON.stringify(example).replace(/^"(.*)"$/, "$1");
