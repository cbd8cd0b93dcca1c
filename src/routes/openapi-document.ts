/** @file openapi.yaml: made of the routes' schemas, checked in at the top, served as YAML and JSON. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { stringify } from "yaml";
import { VERSION } from "../version.ts";
import type { AppEnv } from "./context.ts";
import { describeMiddleware, shareProblems } from "./describe-middleware.ts";

const ABOUT = `Hone sharpens models at the edge: send an ONNX model, get back a smaller and faster one that is known
to load and known to be close.

Errors are problems by RFC 9457 (\`application/problem+json\`): \`code\` says what, \`hint\` what to do next.
Lists come in pages with a cursor. JSON may have 4 MiB. Every POST may be repeated: with an \`Idempotency-Key\`, or
without one where nothing is stored.`;

export function openApiDocument(api: OpenAPIHono<AppEnv>) {
  return describeMiddleware(shareProblems(allRoutes(api)));
}

function allRoutes(api: OpenAPIHono<AppEnv>) {
  return api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Hone",
      version: VERSION,
      description: ABOUT,
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
    },
    servers: [{ url: "http://127.0.0.1:8787", description: "npm run dev" }],
    security: [{ apiKey: [] }],
    tags: [
      { name: "Compress", description: "Quantize, prune and simplify." },
      { name: "Models", description: "Stored models." },
      { name: "Uploads", description: "Large models in parts." },
      { name: "Training", description: "Fine-tune on stored datasets." },
      { name: "Datasets", description: "Rows to train on." },
      { name: "Measure", description: "How fast and how close a model is, where it will run." },
      { name: "Recipes", description: "Steps on a model, one after the other, as one job." },
      { name: "Hooks", description: "Signed webhooks in: a release or push starts a recipe." },
      { name: "Jobs", description: "Work on stored models." },
      { name: "Reports", description: "What a compression did." },
      {
        name: "Runners",
        description:
          "Who computes what does not fit the Worker. A runner opens a WebSocket at /v1/runners/connect; its token " +
          "comes as `Authorization: Bearer` or, from a page, as the subprotocol `token.<token>` beside `hone.runner`.",
      },
      { name: "Webhooks", description: "Events, sent to addresses of yours." },
      { name: "Keys", description: "API keys." },
      { name: "Workspace", description: "What a workspace holds, what was used and changed." },
      { name: "Service", description: "The service itself." },
    ],
  });
}

export function openApiYaml(api: OpenAPIHono<AppEnv>): string {
  return stringify(openApiDocument(api), { aliasDuplicateObjects: false, lineWidth: 100 });
}
