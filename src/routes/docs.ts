/** @file /docs for people, /openapi.yaml and /openapi.json for tools. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AppContext, AppEnv } from "./context.ts";
import { docsPage } from "./docs-page.ts";
import { openApiDocument, openApiYaml } from "./openapi-document.ts";

/** No script runs on these pages, and nothing is loaded. */
const PAGE_HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
  "Cache-Control": "public, max-age=300",
};

/** Adds the routes that describe all the others; made once, when first asked for. */
export function addDocs(api: OpenAPIHono<AppEnv>): void {
  let json: ReturnType<typeof openApiDocument> | undefined;
  let yaml: string | undefined;
  let page: string | undefined;
  const document = () => (json ??= openApiDocument(api));
  const html = (c: AppContext, text: string) => c.html(text, 200, PAGE_HEADERS);
  api.get("/docs", (c) => html(c, (page ??= docsPage(document()))));
  api.get("/openapi.json", (c) => c.json(document()));
  api.get("/openapi.yaml", (c) =>
    c.body((yaml ??= openApiYaml(api)), 200, { "Content-Type": "application/yaml" }),
  );
}
