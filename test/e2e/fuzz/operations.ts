/** @file The operations of openapi.yaml, as a caller needs them: references resolved, what each takes and answers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/** As far as the generator and the judge look into it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema;
  prefixItems?: Schema[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  pattern?: string;
  format?: string;
  default?: unknown;
  example?: unknown;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  schema: Schema;
}

export interface Answer {
  /** That it has to have. */
  headers: string[];
  /** By media type; empty for an answer without a body. */
  content: Record<string, { schema: Schema; pointer: string }>;
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  parameters: Parameter[];
  body: { required: boolean; content: Record<string, Schema> } | undefined;
  answers: Map<number, Answer>;
}

interface RawOperation {
  operationId: string;
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, RawAnswer | { $ref: string }>;
}
interface RawHeader {
  required?: boolean;
}
interface RawAnswer {
  headers?: Record<string, RawHeader | { $ref: string }>;
  content?: Record<string, { schema: Schema }>;
}

const FILE = join(import.meta.dirname, "../../../openapi.yaml");
export const description = parse(readFileSync(FILE, "utf8")) as {
  paths: Record<string, Record<string, RawOperation>>;
};

export function resolve<T extends object>(value: T | { $ref: string }): T {
  if (!("$ref" in value) || typeof value.$ref !== "string") return value as T;
  let found: unknown = description;
  for (const step of stepsOf(value.$ref)) found = (found as Record<string, unknown>)[step];
  return resolve(found as T);
}

const stepsOf = (pointer: string) =>
  pointer
    .slice(2)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
const escaped = (step: string) => step.replaceAll("~", "~0").replaceAll("/", "~1");

export const operations: Operation[] = Object.entries(description.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, raw]) => ({
    id: raw.operationId,
    method: method.toUpperCase(),
    path,
    parameters: raw.parameters ?? [],
    body: raw.requestBody && {
      required: raw.requestBody.required ?? false,
      content: Object.fromEntries(
        Object.entries(raw.requestBody.content).map(([type, { schema }]) => [type, schema]),
      ),
    },
    answers: new Map(
      Object.entries(raw.responses).map(([status, answer]) => [
        Number(status),
        answerOf(answer, `#/paths/${escaped(path)}/${method}/responses/${status}`),
      ]),
    ),
  })),
);

function answerOf(answer: RawAnswer | { $ref: string }, at: string): Answer {
  const place = "$ref" in answer ? answer.$ref : at;
  const { headers = {}, content: described = {} } = resolve<RawAnswer>(answer);
  const content = Object.entries(described).map(
    ([type, { schema }]) =>
      [type, { schema, pointer: `${place}/content/${escaped(type)}/schema` }] as const,
  );
  const always = Object.keys(headers).filter(
    (name) => name !== "Retry-After" && resolve<RawHeader>(headers[name] ?? {}).required !== false,
  );
  return { headers: always, content: Object.fromEntries(content) };
}
