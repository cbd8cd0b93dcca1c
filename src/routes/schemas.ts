/** @file Schemas that more than one resource uses: problems, pages, ids, headers. */
import { z } from "@hono/zod-openapi";
import { PROBLEMS, type ProblemCode } from "../problem/table.ts";

export const ProblemSchema = z
  .object({
    type: z
      .string()
      .openapi({ description: "Where the problem is explained.", example: "/docs#not_onnx" }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().openapi({ description: "What was wrong, in this request." }),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    hint: z.string().openapi({ description: "What to do next." }),
    request_id: z.string().optional(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    offset: z
      .number()
      .int()
      .optional()
      .openapi({ description: "Byte of the model where the reader stood." }),
    report: z.record(z.string(), z.unknown()).optional(),
  })
  .openapi("Problem");

/** The example is a real answer of that status. */
function problemExample(status: number) {
  const code = (Object.keys(PROBLEMS) as ProblemCode[]).find(
    (each) => PROBLEMS[each].status === status,
  );
  if (!code) throw new RangeError(`openapi: no problem has status ${status}`);
  const { title, hint } = PROBLEMS[code];
  return {
    type: `/docs#${code}`,
    title,
    status,
    detail: title,
    code,
    hint,
    request_id: "req_1f0c",
  };
}

type ProblemStatus = (typeof PROBLEMS)[ProblemCode]["status"];

/** The problems of one route; 401, 403, 429 and 500 belong to every one. */
export function problems<S extends ProblemStatus>(...statuses: S[]) {
  return problemsOnly<S | 401 | 403 | 429 | 500>(401, 403, 429, 500, ...statuses);
}

/** Those of a route that is open to all. */
export function problemsOnly<S extends ProblemStatus>(...statuses: S[]) {
  return Object.fromEntries(
    [...new Set(statuses)].map((status) => [
      status,
      {
        description: titlesOf(status),
        content: {
          "application/problem+json": { schema: ProblemSchema, example: problemExample(status) },
        },
      },
    ]),
  ) as unknown as Record<
    S,
    {
      description: string;
      content: { "application/problem+json": { schema: typeof ProblemSchema } };
    }
  >;
}

function titlesOf(status: number): string {
  const codes = (Object.keys(PROBLEMS) as ProblemCode[]).filter(
    (code) => PROBLEMS[code].status === status,
  );
  return codes.map((code) => `\`${code}\``).join(", ");
}

/** A body or an answer in JSON. */
export const json = <S extends z.ZodType>(schema: S) => ({
  content: { "application/json": { schema } },
});

export const PageQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .openapi({ description: "Most entries of one page.", example: 20 }),
  cursor: z.string().optional().openapi({ description: "`next_cursor` of the page before." }),
});

export function pageOf<T extends z.ZodType>(item: T, name: string) {
  return z
    .object({
      object: z.literal("list"),
      data: z.array(item),
      has_more: z.boolean(),
      next_cursor: z.string().nullable(),
    })
    .openapi(name);
}

export function pageBody<Row, Item>(
  { rows, next }: { rows: Row[]; next: string | undefined },
  item: (row: Row) => Item,
) {
  return {
    object: "list" as const,
    data: rows.map(item),
    has_more: next !== undefined,
    next_cursor: next ?? null,
  };
}

export function idParam(prefix: string, example: string) {
  return z.strictObject({
    id: z
      .string()
      .max(64)
      .openapi({ description: `The id, \`${prefix}_…\`.`, example }),
  });
}

export const IdempotencyHeaders = z.object({
  "idempotency-key": z.string().min(1).max(255).optional().openapi({
    description:
      "Makes the call safe to repeat: within 24 hours the same key gets the same answer.",
    example: "5f3c0a1e",
  }),
});

/** Times are Unix seconds. */
export function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

export const Timestamp = z
  .number()
  .int()
  .openapi({ description: "Unix time in seconds.", example: 1795507200 });
