/** @file What no route says for itself in openapi.yaml, since it is done for all of them: problems, repetition, headers. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { RESOURCE } from "./conditional.ts";
import type { AppEnv } from "./context.ts";
import { REPEATABLE } from "./idempotency.ts";

type Document = ReturnType<OpenAPIHono<AppEnv>["getOpenAPI31Document"]>;
interface Parameter {
  name: string;
  in: string;
}
interface Answer {
  description?: string;
  headers?: Record<string, object>;
}
interface Operation {
  operationId: string;
  security?: unknown[];
  parameters?: Parameter[];
  requestBody?: unknown;
  responses: Record<string, Answer | { $ref: string }>;
}

const IDEMPOTENCY_KEY = "idempotency-key";
/** Sent by the middleware with answers to whoever has a key; ETag with what is read of a resource, the last two with a 429. */
const HEADERS = {
  "Request-Id": {
    description: "Names the request: in problems and in the log.",
    schema: { type: "string", example: "req_1f0c" },
  },
  ETag: {
    description: "Of these bytes; for If-None-Match and If-Match.",
    schema: { type: "string", example: '"5f3c0a1e"' },
  },
  "RateLimit-Policy": {
    description: "Requests (`q`) that a key may send in `w` seconds.",
    schema: { type: "string", example: '"default";q=1200;w=60' },
  },
  RateLimit: {
    description: "What is left (`r`), and the seconds (`t`) until there is more.",
    schema: { type: "string", example: '"default";r=0;t=60' },
  },
  "Retry-After": {
    description: "Seconds to wait.",
    schema: { type: "integer", example: 60 },
  },
} as const;
const OF_ALL = refs("Request-Id", "RateLimit-Policy");
const OF_429 = refs("Request-Id", "RateLimit-Policy", "RateLimit", "Retry-After");

function refs(...names: (keyof typeof HEADERS)[]) {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** The problems of a status are the same everywhere: written once, referred to by every call. */
export function shareProblems(document: Document): Document {
  const shared: Record<string, Answer> = {};
  for (const { operation } of operationsOf(document)) {
    const { responses } = operation;
    for (const [status, response] of Object.entries(responses)) {
      if (!JSON.stringify(response).includes("application/problem+json")) continue;
      shared[`Problem${status}`] = response as Answer;
      responses[status] = problem(status);
    }
  }
  for (const [name, response] of Object.entries(shared)) {
    response.headers = name === "Problem429" ? OF_429 : refs("Request-Id");
  }
  document.components = { ...document.components, responses: shared as never };
  return document;
}

const problem = (status: number | string) => ({ $ref: `#/components/responses/Problem${status}` });

/** Refusals of bodies and parameters, Idempotency-Key, conditions, headers. */
export function describeMiddleware(document: Document): Document {
  const operations = operationsOf(document);
  const key = operations
    .flatMap(({ operation: { parameters = [] } }) => parameters)
    .find(({ name }) => name === IDEMPOTENCY_KEY);
  for (const { method, path, operation } of operations) {
    if (operation.security?.length === 0) continue;
    if (RESOURCE.test(path)) addConditions(operation, method);
    if (key && method === "post" && !(operation.operationId in REPEATABLE)) {
      addKey(operation, key);
    }
    const { parameters = [], requestBody, responses } = operation;
    const hasKey = parameters.some(({ name }) => name === IDEMPOTENCY_KEY);
    const refusals = [
      ...(parameters.length > 0 || requestBody ? [400] : []),
      ...(requestBody ? [413, 415] : []),
      ...(hasKey ? [409, 422] : []),
    ];
    for (const status of refusals) responses[status] ??= problem(status);
    for (const answer of Object.values(responses)) {
      if (!("$ref" in answer)) answer.headers = { ...answer.headers, ...OF_ALL };
    }
  }
  document.components = { ...document.components, headers: HEADERS as never };
  return document;
}

function addKey(operation: Operation, key: Parameter): void {
  const { parameters = [] } = operation;
  if (!parameters.some(({ name }) => name === IDEMPOTENCY_KEY)) {
    operation.parameters = [...parameters, key];
  }
}

/** What src/routes/conditional.ts does for it. */
function addConditions(operation: Operation, method: string): void {
  if (method !== "get" && method !== "delete") return;
  const { parameters = [], responses } = operation;
  const added = method === "get" ? [IF_NONE_MATCH, IF_MATCH] : [IF_MATCH_ON_DELETE];
  operation.parameters = [...parameters, ...added];
  responses[412] = problem(412);
  if (method !== "get") return;
  const ok = responses[200];
  if (ok && !("$ref" in ok)) ok.headers = { ...ok.headers, ...refs("ETag") };
  responses[304] = { description: "The ETag is the same.", headers: refs("ETag") };
}

function condition(name: string, description: string) {
  return { name, in: "header", required: false, description, schema: { type: "string" } };
}
const IF_NONE_MATCH = condition(
  "if-none-match",
  "ETags: if one of them is still right, the answer is a 304.",
);
const IF_MATCH = condition("if-match", "ETags: if none of them is right, the answer is a 412.");
const IF_MATCH_ON_DELETE = condition(
  "if-match",
  "ETags of the resource, or `*`: if none of them is right any more, nothing is deleted, and the answer is a 412. " +
    "Reads the resource first, as a request of its own.",
);

function operationsOf(
  document: Document,
): { path: string; method: string; operation: Operation }[] {
  const paths = (document.paths ?? {}) as unknown as Record<string, Record<string, Operation>>;
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
}
