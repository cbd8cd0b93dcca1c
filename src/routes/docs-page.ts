/** @file The API for people: made of the OpenAPI document, with a curl line for every call. */
import { html } from "hono/html";
import { PROBLEMS } from "../problem/table.ts";
import { curlExample } from "./curl-example.ts";
import type { openApiDocument } from "./openapi-document.ts";
import { page } from "./page-layout.ts";

type Document = ReturnType<typeof openApiDocument>;

/** The parts of an OpenAPI operation that the page shows. */
export interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: unknown[];
  parameters?: Parameter[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
  responses?: Record<string, Response>;
}

interface Response {
  $ref?: string;
  description?: string;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema?: Schema;
}

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  example?: unknown;
  default?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
}

interface Parts {
  schemas?: Record<string, Schema>;
  responses?: Record<string, Response>;
}

export interface Call {
  method: string;
  path: string;
  operation: Operation;
}

export function docsPage(document: Document): string {
  const calls = callsOf(document);
  const tags = document.tags ?? [];
  const parts = (document.components ?? {}) as Parts;
  return page(
    "Hone API",
    html`<h1>Hone API</h1>
      ${String(document.info.description)
        .split("\n\n")
        .map((paragraph) => html`<p>${paragraph.replaceAll("`", "")}</p>`)}
      <p>
        Every call but those under “Service” needs <code>Authorization: Bearer &lt;key&gt;</code>.
        In the examples <code>$HONE_URL</code> is this host and <code>$HONE_API_KEY</code> the key.
        The same as a document: <a href="/openapi.yaml">openapi.yaml</a>.
      </p>
      <nav>
        ${tags.map(({ name }) => html`<a href="#${name}">${name}</a>`)}<a href="#problems"
          >Problems</a
        >
      </nav>
      ${tags.map(
        ({ name, description }) =>
          html`<h2 id="${name}">${name}</h2>
            <p>${description}</p>
            ${calls
              .filter(({ operation }) => operation.tags?.includes(name))
              .map((call) => callSection(call, parts))}`,
      )}
      <h2 id="problems">Problems</h2>
      <table>
        <tr>
          <th>code</th>
          <th>status</th>
          <th>meaning</th>
          <th>what to do</th>
        </tr>
        ${Object.entries(PROBLEMS).map(
          ([code, { status, title, hint }]) =>
            html`<tr id="${code}">
              <td><code>${code}</code></td>
              <td>${status}</td>
              <td>${title}</td>
              <td>${hint.replaceAll("`", "")}</td>
            </tr>`,
        )}
      </table>`,
  );
}

function callsOf(document: Document): Call[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Operation>).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
}

function callSection(call: Call, parts: Parts) {
  const { method, path, operation } = call;
  const parameters = operation.parameters ?? [];
  const json = resolve(operation.requestBody?.content?.["application/json"]?.schema, parts.schemas);
  return html`<h3 id="${operation.operationId}">
      <span class="method">${method}</span><code>${path}</code> — ${operation.summary}
    </h3>
    ${operation.description ? html`<p>${operation.description.replaceAll("`", "")}</p>` : ""}
    ${fieldTable(
      "Parameters",
      parameters.map(({ name, in: place, required, schema }) => ({
        name,
        place,
        required,
        schema,
      })),
    )}
    ${fieldTable(
      "JSON body",
      Object.entries(json?.properties ?? {}).map(([name, schema]) => ({
        name,
        place: "body",
        required: json?.required?.includes(name),
        schema,
      })),
    )}
    <h4>Answers</h4>
    <table>
      ${Object.entries(operation.responses ?? {}).map(
        ([status, response]) =>
          html`<tr>
            <td>${status}</td>
            <td>${resolve(response, parts.responses)?.description?.replaceAll("`", "")}</td>
          </tr>`,
      )}
    </table>
    <pre>${curlExample(call)}</pre>`;
}

interface Field {
  name: string;
  place: string;
  required: boolean | undefined;
  schema: Schema | undefined;
}

function fieldTable(title: string, fields: readonly Field[]) {
  if (fields.length === 0) return "";
  return html`<h4>${title}</h4>
    <table>
      ${fields.map(
        ({ name, place, required, schema }) =>
          html`<tr>
            <td><code>${name}</code></td>
            <td>${place}${required ? ", required" : ""}</td>
            <td>${typeText(schema)}</td>
            <td>${schema?.description?.replaceAll("`", "")}</td>
          </tr>`,
      )}
    </table>`;
}

function typeText(schema: Schema | undefined): string {
  if (schema?.enum) return schema.enum.join(" | ");
  if (schema?.anyOf) return schema.anyOf.map(typeText).join(" | ");
  return [schema?.type ?? ""].flat().join(" | ");
}

/** What a `$ref` stands for. */
function resolve<T extends { $ref?: string }>(
  part: T | undefined,
  named: Record<string, T> | undefined,
): T | undefined {
  const name = part?.$ref?.split("/").at(-1);
  return name === undefined ? part : named?.[name];
}
