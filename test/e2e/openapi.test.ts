import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { api } from "../../src/routes/api.ts";
import { openApiDocument, openApiYaml } from "../../src/routes/openapi-document.ts";

/** OpenAPI has no word for them. */
const WEBSOCKETS = ["GET /v1/runners/connect", "GET /v1/ranks/connect"];

it("openapi.yaml is what the routes say (npm run openapi writes it)", async () => {
  const file = await readFile(join(import.meta.dirname, "../../openapi.yaml"), "utf8");
  expect(file).toBe(openApiYaml(api));
});

it("the YAML and the JSON are the same document", () => {
  expect(parse(openApiYaml(api))).toEqual(JSON.parse(JSON.stringify(openApiDocument(api))));
});

it("every route is in the document, and every operation has its own name", () => {
  const { paths = {} } = openApiDocument(api);
  const documented = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const mounted = api.routes
    .filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1/"))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
  const described = documented.filter((each) => each.includes(" /v1/"));
  expect(new Set(mounted)).toEqual(new Set([...described, ...WEBSOCKETS]));
  const names = Object.values(paths).flatMap((item) =>
    Object.values(item as Record<string, { operationId: string }>).map(
      ({ operationId }) => operationId,
    ),
  );
  expect(new Set(names).size).toBe(names.length);
});
