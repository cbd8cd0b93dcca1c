/** @file Options as JSON and as query text: one table makes both schemas, so they cannot differ. */
import { z } from "@hono/zod-openapi";

type Text = string | string[];

/** One option: what it may be, and how query text becomes it (what does not fit is left for the schema to refuse). */
export interface Option {
  schema: z.ZodType;
  description: string;
  /** What a terminal asks for: nothing, one value, or names that add up. */
  kind: "flag" | "value" | "list";
  fromText: (text: Text) => unknown;
}

type OptionTable = Readonly<Record<string, Option>>;

export function jsonSchema(options: OptionTable) {
  const shape = Object.entries(options).map(([name, { schema }]) => [name, schema.optional()]);
  return z.strictObject(Object.fromEntries(shape) as Record<string, z.ZodType>);
}

export function querySchema(options: OptionTable) {
  const shape = Object.entries(options).map(([name, { schema, fromText }]) => [
    name,
    z.preprocess((value) => (isText(value) ? fromText(value) : value), schema).optional(),
  ]);
  return z.strictObject(Object.fromEntries(shape) as Record<string, z.ZodType>);
}

function isText(value: unknown): value is Text {
  return typeof value === "string" || Array.isArray(value);
}

const asText = (text: Text): unknown => text;

function asNumber(text: Text): unknown {
  return typeof text === "string" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)
    ? Number(text)
    : text;
}

/** `?per_channel` alone is true. */
function asBoolean(text: Text): unknown {
  if (text === "true" || text === "1" || text === "") return true;
  return text === "false" || text === "0" ? false : text;
}

/** Repeated, separated by commas, or a JSON array for names that hold commas. */
export function asList(text: Text): unknown {
  if (typeof text === "string" && text.startsWith("[")) return asJson(text);
  return [text]
    .flat()
    .flatMap((item) => item.split(","))
    .filter((item) => item !== "");
}

export function asJson(text: Text): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : text;
  } catch {
    return text;
  }
}

const names = z.array(z.string().min(1).max(20_000)).max(10_000);

/** @param about what the API's description says of it, with an example */
export function option(
  schema: z.ZodType,
  about: { description: string; example: unknown; type?: "integer"; enum?: number[] },
  fromText: Option["fromText"],
  kind: Option["kind"] = "value",
): Option {
  return { schema: schema.openapi(about), description: about.description, kind, fromText };
}

export const choice = (values: readonly string[], description: string): Option =>
  option(z.enum(values as [string, ...string[]]), { description, example: values[0] }, asText);
export const flag = (description: string): Option =>
  option(z.boolean(), { description, example: true }, asBoolean, "flag");
export const number = (schema: z.ZodNumber, description: string, example: number): Option =>
  option(schema, { description, example }, asNumber);
export const list = (description: string, example: string): Option =>
  option(names, { description, example: [example] }, asList, "list");

/** Options of every compression. */
export const BOUNDS: OptionTable = {
  min_sqnr_db: number(
    z.number(),
    "Refuses a result with an output below this signal-to-noise ratio, in dB.",
    30,
  ),
  min_cosine: number(
    z.number().min(-1).max(1),
    "Refuses a result with an output below this cosine similarity.",
    0.99,
  ),
  verify: flag("Loads the result and runs it beside the original (default true)."),
};
