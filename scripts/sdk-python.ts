/**
 * @file The generated files of sdk/python: types from openapi.yaml's schemas, and the client that blocks from the one
 * that awaits.
 */
import { parse } from "yaml";

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  description?: string;
}

/** `_types.py`: a TypedDict for every named object, an alias for every other schema. */
export function pythonTypes(openapi: string): string {
  const document = parse(openapi) as { components: { schemas: Record<string, Schema> } };
  const blocks: string[] = [];
  const aliases: string[] = [];
  const names: string[] = [];
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    names.push(name);
    if (schema.properties && !schema.anyOf && !schema.oneOf && !schema.allOf) {
      blocks.push(...typedDicts(name, schema));
    } else aliases.push(`${name} = ${typeOf(schema, name, blocks)}`);
  }
  return `"""Made from openapi.yaml by npm run sdk; do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, Union

${blocks.join("\n\n")}

${aliases.join("\n")}

__all__ = [
${names
  .sort()
  .map((name) => `    ${JSON.stringify(name)},`)
  .join("\n")}
]
`;
}

/** The functional form takes every key, also those that are words of Python. */
function typedDicts(name: string, schema: Schema): string[] {
  const nested: string[] = [];
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([key, property]) => {
    const type = typeOf(property, `${name}${pascal(key)}`, nested);
    const quoted = JSON.stringify(type);
    const written = required.has(key) ? quoted : `NotRequired[${quoted}]`;
    return `        ${JSON.stringify(key)}: ${written},`;
  });
  return [
    ...nested,
    `${name} = TypedDict(\n    ${JSON.stringify(name)},\n    {\n${fields.join("\n")}\n    },\n)`,
  ];
}

function typeOf(schema: Schema, name: string, nested: string[]): string {
  if (schema.$ref) return schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
  if (schema.const !== undefined) return `Literal[${literal(schema.const)}]`;
  if (schema.enum) return `Literal[${schema.enum.map(literal).join(", ")}]`;
  const union = schema.anyOf ?? schema.oneOf;
  if (union)
    return unionOf(union.map((each, index) => typeOf(each, `${name}${index || ""}`, nested)));
  if (schema.allOf?.length === 1 && schema.allOf[0]) return typeOf(schema.allOf[0], name, nested);
  const types = [schema.type ?? "any"].flat();
  return unionOf(types.map((type) => plainType(type, schema, name, nested)));
}

function plainType(type: string, schema: Schema, name: string, nested: string[]): string {
  switch (type) {
    case "string":
      return "str";
    case "integer":
      return "int";
    case "number":
      return "float";
    case "boolean":
      return "bool";
    case "null":
      return "None";
    case "array":
      return `list[${typeOf(schema.items ?? {}, `${name}Item`, nested)}]`;
    case "object": {
      if (schema.properties) {
        nested.push(...typedDicts(name, schema));
        return name;
      }
      const values = schema.additionalProperties;
      const value = typeof values === "object" ? typeOf(values, `${name}Value`, nested) : "Any";
      return `dict[str, ${value}]`;
    }
    default:
      return "Any";
  }
}

function unionOf(types: string[]): string {
  const distinct = [...new Set(types)];
  return distinct.length === 1 ? (distinct[0] ?? "Any") : `Union[${distinct.join(", ")}]`;
}

function literal(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value);
}

function pascal(key: string): string {
  return key.replaceAll(/(?:^|[^A-Za-z0-9])([A-Za-z0-9])/g, (_, letter: string) =>
    letter.toUpperCase(),
  );
}

const BLOCKING: readonly [RegExp, string][] = [
  [
    /^"""The client that awaits\. .*"""$/m,
    '"""Made from _async_client.py by `npm run sdk`; do not edit."""',
  ],
  [/^import asyncio\n/m, ""],
  [/^import os\n/m, "import os\nimport time\n"],
  [/\bawait asyncio\.sleep\b/g, "time.sleep"],
  [/\basync (def|with|for) /g, "$1 "],
  [/\bawait /g, ""],
  [/\bAsyncIterator\b/g, "Iterator"],
  [/\b__aenter__\b/g, "__enter__"],
  [/\b__aexit__\b/g, "__exit__"],
  [/\baclose\b/g, "close"],
  [/\baread\b/g, "read"],
  [/\baiter_lines\b/g, "iter_lines"],
  [/\bhttpx\.AsyncClient\b/g, "httpx.Client"],
  [/\bhttpx\.AsyncBaseTransport\b/g, "httpx.BaseTransport"],
  [
    /\bAsync(Hone|CompressedModel|Models|Jobs|Datasets|Recipes|Hooks|WebhookEndpoints|Keys|OwnWorkspace)\b/g,
    "$1",
  ],
];

/** `_sync_client.py`: the same calls without await. */
export function blockingClient(source: string): string {
  return BLOCKING.reduce((text, [from, to]) => text.replace(from, to), source);
}
