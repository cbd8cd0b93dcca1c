/** @file /v1/keys: make, list and delete API keys. */
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import { addKey, type ApiKey, deleteKey, listKeys, newSecret } from "../store/keys.ts";
import { createRouter } from "./context.ts";
import { idParam, pageBody, pageOf, PageQuery, problems, seconds, Timestamp } from "./schemas.ts";

const Key = z
  .object({
    id: z.string(),
    object: z.literal("key"),
    name: z.string(),
    hint: z.string().openapi({ description: "The key's first characters.", example: "hone_kI3w…" }),
    created_at: Timestamp,
  })
  .openapi("Key");

const NewKey = Key.extend({
  secret: z
    .string()
    .openapi({ description: "The key itself. It is shown only now.", example: "hone_…" }),
}).openapi("NewKey");

const keyBody = (key: ApiKey) => ({
  id: key.id,
  object: "key" as const,
  name: key.name,
  hint: key.hint,
  created_at: seconds(key.created_at),
});

const create = createRoute({
  method: "post",
  path: "/v1/keys",
  operationId: "createKey",
  tags: ["Keys"],
  summary: "Make a key",
  description: "The new key opens the same workspace. Its secret is in this answer only.",
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({ name: z.string().min(1).max(100).openapi({ example: "ci" }) })
            .openapi("NewKeyRequest"),
        },
      },
    },
  },
  responses: {
    201: { description: "The key.", content: { "application/json": { schema: NewKey } } },
    ...problems(400),
  },
});

const list = createRoute({
  method: "get",
  path: "/v1/keys",
  operationId: "listKeys",
  tags: ["Keys"],
  summary: "List keys",
  request: { query: PageQuery },
  responses: {
    200: {
      description: "Newest first.",
      content: { "application/json": { schema: pageOf(Key, "KeyList") } },
    },
    ...problems(400),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/keys/{id}",
  operationId: "deleteKey",
  tags: ["Keys"],
  summary: "Delete a key",
  description: "From then on the key opens nothing. The last key of a workspace stays.",
  request: { params: idParam("key", "key_2v9k") },
  responses: { 204: { description: "Deleted." }, ...problems(404, 409) },
});

export const keys = createRouter()
  .openapi(create, async (c) => {
    const secret = newSecret();
    const { name } = c.req.valid("json");
    const key = await addKey(c.env.DB, c.get("workspace"), name, secret);
    return c.json({ ...keyBody(key), secret }, 201);
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listKeys(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, keyBody), 200);
  })
  .openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    const outcome = await deleteKey(c.env.DB, c.get("workspace"), id);
    if (outcome === "not_found") throw new ApiError("not_found", `there is no key ${id}`);
    if (outcome === "last_key") throw new ApiError("last_key", `${id} is the only key left`);
    return c.body(null, 204);
  });
