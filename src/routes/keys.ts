/** @file /v1/keys: make, list, rotate and delete API keys. */
import { createRoute, z } from "@hono/zod-openapi";
import { ApiError } from "../problem/api-error.ts";
import {
  addKey,
  type ApiKey,
  deleteKey,
  listKeys,
  newSecret,
  readKey,
  rotateKey,
  SCOPES,
} from "../store/keys.ts";
import { forgetKeys } from "../store/known-keys.ts";
import { type AppContext, createRouter } from "./context.ts";
import {
  idParam,
  pageBody,
  pageOf,
  PageQuery,
  problems,
  seconds,
  Timestamp,
  json,
} from "./schemas.ts";

const DAY_S = 24 * 60 * 60;

const Key = z
  .object({
    id: z.string(),
    object: z.literal("key"),
    name: z.string(),
    hint: z.string().openapi({ description: "The key's first characters.", example: "hone_kI3w…" }),
    scopes: z.array(z.enum(SCOPES)).openapi({ example: ["read", "write"] }),
    created_at: Timestamp,
    expires_at: Timestamp.nullable().openapi({ description: "Null: it does not expire." }),
    last_used_at: Timestamp.nullable().openapi({
      description: "To the minute; null before the first use.",
    }),
  })
  .openapi("Key");

const NewKey = Key.extend({
  secret: z
    .string()
    .openapi({ description: "The key itself. It is shown only now.", example: "hone_…" }),
}).openapi("NewKey");

const keyBody = (key: ApiKey) => ({
  ...key,
  object: "key" as const,
  created_at: seconds(key.created_at),
  expires_at: key.expires_at === null ? null : seconds(key.expires_at),
  last_used_at: key.last_used_at === null ? null : seconds(key.last_used_at),
});

const params = idParam("key", "key_2v9k");

const create = createRoute({
  method: "post",
  path: "/v1/keys",
  operationId: "createKey",
  tags: ["Keys"],
  summary: "Make a key",
  description:
    "The new key opens the same workspace. Its secret is in this answer only. What a key may do: `read` (GET, HEAD), " +
    "`write` (every other method), `admin` (keys, webhook endpoints, audit log, workspace); none includes another.",
  request: {
    body: {
      required: true,
      ...json(
        z
          .strictObject({
            name: z.string().min(1).max(100).openapi({ example: "ci" }),
            scopes: z
              .array(z.enum(SCOPES))
              .min(1)
              .max(SCOPES.length)
              .default([...SCOPES])
              .openapi({ example: ["read", "write"] }),
            expires_in_s: z
              .number()
              .int()
              .min(1)
              .max(3650 * DAY_S)
              .optional()
              .openapi({ description: "Default: it does not expire.", example: 2592000 }),
          })
          .openapi("NewKeyRequest"),
      ),
    },
  },
  responses: {
    201: {
      description: "The key.",
      headers: z.object({ Location: z.string() }),
      ...json(NewKey),
    },
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
    200: { description: "Newest first.", ...json(pageOf(Key, "KeyList")) },
    ...problems(400),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/keys/{id}",
  operationId: "getKey",
  tags: ["Keys"],
  summary: "Get a key",
  request: { params },
  responses: {
    200: { description: "The key, without its secret.", ...json(Key) },
    ...problems(404),
  },
});

const rotate = createRoute({
  method: "post",
  path: "/v1/keys/{id}/rotate",
  operationId: "rotateKey",
  tags: ["Keys"],
  summary: "Give a key a new secret",
  description:
    "The secret before works for `grace_s` longer; one from a rotation before that ends at once.",
  request: {
    params,
    body: {
      required: false,
      ...json(
        z
          .strictObject({
            grace_s: z
              .number()
              .int()
              .min(0)
              .max(30 * DAY_S)
              .default(DAY_S)
              .openapi({ description: "0 ends the old secret at once.", example: DAY_S }),
          })
          .openapi("RotateKeyRequest"),
      ),
    },
  },
  responses: { 200: { description: "The new secret.", ...json(NewKey) }, ...problems(400, 404) },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/keys/{id}",
  operationId: "deleteKey",
  tags: ["Keys"],
  summary: "Delete a key",
  description:
    "From then on the key opens nothing. The last key that has the scope `admin` and does not expire stays.",
  request: { params },
  responses: { 204: { description: "Deleted." }, ...problems(404, 409) },
});

export const keys = createRouter()
  .openapi(create, async (c) => {
    const secret = newSecret();
    const { name, scopes, expires_in_s: life } = c.req.valid("json");
    const expiresAt = life === undefined ? undefined : Date.now() + life * 1000;
    const wanted = { name, scopes: SCOPES.filter((each) => scopes.includes(each)), expiresAt };
    const key = await addKey(c.env.DB, c.get("workspace"), wanted, secret);
    return c.json({ ...keyBody(key), secret }, 201, { Location: `/v1/keys/${key.id}` });
  })
  .openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = await listKeys(c.env.DB, c.get("workspace"), { limit, cursor });
    return c.json(pageBody(page, keyBody), 200);
  })
  .openapi(read, async (c) => c.json(keyBody(await required(c, c.req.valid("param").id)), 200))
  .openapi(rotate, async (c) => {
    const { id } = c.req.valid("param");
    // A call without a body has no defaults either.
    const wanted: { grace_s?: number } = c.req.valid("json");
    const graceMs = (wanted.grace_s ?? DAY_S) * 1000;
    const secret = newSecret();
    await rotateKey(c.env.DB, c.get("workspace"), id, secret, graceMs);
    forgetKeys(c.get("workspace"));
    return c.json({ ...keyBody(await required(c, id)), secret }, 200);
  })
  .openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    const outcome = await deleteKey(c.env.DB, c.get("workspace"), id);
    forgetKeys(c.get("workspace"));
    if (outcome === "not_found") throw new ApiError("not_found", `there is no key ${id}`);
    if (outcome === "last_key") {
      throw new ApiError("last_key", `no other key has the scope admin and does not expire`);
    }
    return c.body(null, 204);
  });

async function required(c: AppContext, id: string): Promise<ApiKey> {
  const key = await readKey(c.env.DB, c.get("workspace"), id);
  if (!key) throw new ApiError("not_found", `there is no key ${id}`);
  return key;
}
