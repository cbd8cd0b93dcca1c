/** @file Hooks and their deliveries as the API takes and shows them. */
import { z } from "@hono/zod-openapi";
import {
  DELIVERY_STATES,
  HOOK_SOURCES,
  type HookConfig,
  RESULT_STATES,
} from "../jobs/hooks/hook.ts";
import type { DeliveryRow } from "../store/hook-deliveries.ts";
import type { ResultRow } from "../store/hook-results.ts";
import type { HookRow } from "../store/hooks.ts";
import { RecipeReference, RecipeSteps, stepBody } from "./recipe-steps.ts";
import { seconds, Timestamp } from "./schemas.ts";

const glob = (description: string, example: string) =>
  z.string().min(1).max(200).optional().openapi({ description, example });

const Filter = z
  .strictObject({
    repository: glob("Of the sender's repository; r2: of the bucket.", "acme/*"),
    tag: glob("Of the release or reference.", "v*"),
    path: glob(
      "github: of changed files, without it pushes are ignored, and of a release's files; standard: the payload's " +
        "`path`, or that of the model's address; huggingface: of the model's file; r2: the key after the workspace's " +
        "id and a slash, default `**/*.onnx`.",
      "models/**/*.onnx",
    ),
  })
  .openapi({ description: "Globs; deliveries that do not match are ignored." });

const Source = z
  .strictObject({
    url: z.string().min(1).max(2000).optional().openapi({
      description:
        "standard: where the model is, with fields of the payload in braces; `{data.url}` alone is a whole address.",
      example: "https://models.example.com/{data.name}/{data.version}.onnx",
    }),
    asset: glob("github: files of a release; default `*.onnx`.", "*.onnx"),
    path: glob(
      "huggingface: a file of the repository, or a glob that fits one; default `onnx/model.onnx`.",
      "onnx/model.onnx",
    ),
  })
  .openapi({ description: "Where the model of a delivery is." });

const TEMPLATE = "`{job}` and `{file}` stand for the job's id and the file's name.";

const Target = z
  .discriminatedUnion("to", [
    z.strictObject({ to: z.literal("catalogue") }),
    z.strictObject({
      to: z.literal("signed_url"),
      expires_in_s: z
        .number()
        .int()
        .min(60)
        .max(7 * 24 * 60 * 60)
        .default(3600)
        .openapi({ description: "So long the addresses work." }),
    }),
    z.strictObject({
      to: z.literal("r2"),
      prefix: z
        .string()
        .max(500)
        .regex(/^(?!\/)/, "must not begin with a slash")
        .openapi({
          description:
            "Of the keys, after the workspace's id and a slash; `{job}` stands for the job's id.",
          example: "optimized/{job}/",
        }),
    }),
    z.strictObject({
      to: z.literal("http_put"),
      url: z
        .string()
        .min(1)
        .max(2000)
        .openapi({ description: TEMPLATE, example: "https://models.example.com/in/{file}" }),
    }),
  ])
  .openapi({
    description:
      "Where a result goes beside the catalogue, where every one is. `signed_url`: the job's result, and its event, " +
      "have `links` that need no key. `r2`: the exchange bucket. `http_put`: sent to a public address, redirects are " +
      "not followed; what is not taken is tried again as webhooks are.",
    example: { to: "signed_url", expires_in_s: 3600 },
  });

const fields = {
  name: z.string().max(200).default("").openapi({ example: "releases" }),
  source: z.enum(HOOK_SOURCES).openapi({
    description:
      "`standard`: signed by Standard Webhooks; `github`: release published, or push; `huggingface`: a model's " +
      "content; `r2`: an object in the exchange bucket, whose key begins with the workspace's id.",
  }),
  filter: Filter.default({}),
  model: Source.default({}),
  recipe: RecipeReference.optional().openapi({
    description: "A stored recipe, looked up at each delivery; or `steps`.",
    example: "small",
  }),
  steps: RecipeSteps.optional(),
  deliver: Target.default({ to: "catalogue" }),
};

export const NewHookRequest = z
  .strictObject({
    ...fields,
    secret: z.string().min(16).max(200).optional().openapi({
      description: "What the source signs with; made if it is not given.",
      example: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    }),
  })
  .openapi("NewHookRequest");
/** The steps are read by hand, so that refusals name step and option. */
export const NewHookFields = z.strictObject({
  ...NewHookRequest.shape,
  steps: z.unknown().optional(),
});

export const Hook = z
  .object({
    id: z.string().openapi({ example: "hook_3k9d" }),
    object: z.literal("hook"),
    url: z.string().openapi({
      description: "Where the source sends to; r2: what the keys begin with.",
      example: "/v1/hooks/hook_3k9d",
    }),
    ...fields,
    created_at: Timestamp,
  })
  .openapi("Hook");

export const NewHook = Hook.extend({
  secret: z
    .string()
    .nullable()
    .openapi({ description: "It is shown only now; null: the bucket signs nothing." }),
}).openapi("NewHook");

const Result = z
  .object({
    to: z.enum(["signed_url", "r2", "http_put"]),
    state: z
      .enum(RESULT_STATES)
      .openapi({ description: "`waiting` for the job, or to try again." }),
    attempts: z
      .array(
        z.object({
          at: Timestamp,
          status: z.number().int().nullable().openapi({ description: "Of the receiver's answer." }),
          error: z.string().nullable(),
        }),
      )
      .openapi({ description: "Every try, the first one first." }),
    next_attempt_at: Timestamp.nullable(),
    files: z
      .array(
        z.object({
          file: z.string(),
          bytes: z.number().int(),
          sha256: z.string(),
          place: z.string().openapi({ description: "An address, or a key of the bucket." }),
        }),
      )
      .openapi({ description: "Where they are, once they are there." }),
  })
  .openapi("HookResult");

export const HookDelivery = z
  .object({
    id: z.string().openapi({ example: "hkd_8s1w" }),
    object: z.literal("hook_delivery"),
    source_id: z.string().nullable().openapi({ description: "As the source names it." }),
    event: z.string().openapi({ example: "release" }),
    payload_sha256: z.string(),
    payload_bytes: z.number().int(),
    decision: z.enum(["accepted", "ignored"]),
    state: z.enum(DELIVERY_STATES),
    reason: z
      .string()
      .nullable()
      .openapi({ description: "Why it is ignored or failed, or why the last attempt did." }),
    model_url: z.string().nullable(),
    model_id: z.string().nullable().openapi({ description: "The model, once it is imported." }),
    job_id: z.string().nullable().openapi({ description: "The recipe's job, once it is ordered." }),
    attempts: z.number().int(),
    result: Result.nullable().openapi({
      description:
        "On its way to where the hook wants it; null: the catalogue has it, and that is all.",
    }),
    created_at: Timestamp,
  })
  .openapi("HookDelivery");

export const HookDeliveryWithPayload = HookDelivery.extend({
  payload: z.string().openapi({
    description: "As it was sent, at most its first 64 KiB.",
    example: '{"type":"model.published"}',
  }),
}).openapi("HookDeliveryWithPayload");

export const HookReceipt = z
  .object({
    object: z.literal("hook_receipt"),
    decision: z.enum(["accepted", "ignored"]),
    duplicate: z.boolean().openapi({ description: "It came before, and is not done again." }),
    deliveries: z
      .array(z.string())
      .openapi({ description: "One for each model.", example: ["hkd_8s1w"] }),
    reason: z.string().nullable(),
  })
  .openapi("HookReceipt");

export function hookBody({
  id,
  workspace,
  name,
  source,
  config,
  created_at,
}: HookRow): z.infer<typeof Hook> {
  const { filter, model, deliver, recipe } = config;
  return {
    id,
    object: "hook",
    url: source === "r2" ? `${workspace}/` : `/v1/hooks/${id}`,
    name,
    source,
    filter,
    model,
    ...recipeBody(recipe),
    deliver,
    created_at: seconds(created_at),
  };
}

function recipeBody(recipe: HookConfig["recipe"]) {
  if ("reference" in recipe) return { recipe: recipe.reference };
  return { steps: recipe.steps.map(stepBody) as z.infer<typeof RecipeSteps> };
}

export function deliveryBody(row: DeliveryRow, result?: ResultRow): z.infer<typeof HookDelivery> {
  const { work, state } = row;
  const done = state === "done";
  return {
    id: row.id,
    object: "hook_delivery",
    source_id: row.source_id,
    event: row.event,
    payload_sha256: row.payload_sha256,
    payload_bytes: row.payload_bytes,
    decision: state === "ignored" ? "ignored" : "accepted",
    state,
    reason: row.reason,
    model_url: addressOf(work),
    model_id: done ? row.model_id : null,
    job_id: done ? row.job_id : null,
    attempts: row.attempts,
    result: result === undefined ? null : resultBody(result),
    created_at: seconds(row.created_at),
  };
}

/** `r2:` stands for the exchange bucket. */
function addressOf(work: DeliveryRow["work"]): string | null {
  if (work === null || "huggingface" in work) return null;
  return "url" in work ? work.url : `r2:${work.object.key}`;
}

function resultBody({ target, state, log, places, next_at }: ResultRow): z.infer<typeof Result> {
  return {
    to: target.to as z.infer<typeof Result>["to"],
    state,
    attempts: log.map(({ at, ...rest }) => ({ at: seconds(at), ...rest })),
    next_attempt_at: state === "waiting" && log.length > 0 ? seconds(next_at) : null,
    files: places,
  };
}
