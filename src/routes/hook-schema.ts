/** @file Hooks and their deliveries as the API takes and shows them. */
import { z } from "@hono/zod-openapi";
import { DELIVERY_STATES, HOOK_SOURCES, type HookConfig } from "../jobs/hooks/hook.ts";
import type { DeliveryRow } from "../store/hook-deliveries.ts";
import type { HookRow } from "../store/hooks.ts";
import { RecipeReference, RecipeSteps, stepBody } from "./recipe-steps.ts";
import { seconds, Timestamp } from "./schemas.ts";

const glob = (description: string, example: string) =>
  z.string().min(1).max(200).optional().openapi({ description, example });

const Filter = z
  .strictObject({
    repository: glob("Of the sender's repository.", "acme/*"),
    tag: glob("Of the release or reference.", "v*"),
    path: glob("Of changed files; without it pushes are ignored.", "models/**/*.onnx"),
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

const fields = {
  name: z.string().max(200).default("").openapi({ example: "releases" }),
  source: z.enum(HOOK_SOURCES).openapi({
    description:
      "`standard`: signed by Standard Webhooks; `github`: release published, or push; `huggingface`: a model's content.",
  }),
  filter: Filter.default({}),
  model: Source.default({}),
  recipe: RecipeReference.optional().openapi({
    description: "A stored recipe, looked up at each delivery; or `steps`.",
    example: "small",
  }),
  steps: RecipeSteps.optional(),
  deliver: z.strictObject({ to: z.literal("catalogue") }).default({ to: "catalogue" }),
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
    url: z
      .string()
      .openapi({ description: "Where the source sends to.", example: "/v1/hooks/hook_3k9d" }),
    ...fields,
    created_at: Timestamp,
  })
  .openapi("Hook");

export const NewHook = Hook.extend({
  secret: z.string().openapi({ description: "It is shown only now." }),
}).openapi("NewHook");

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
    created_at: Timestamp,
  })
  .openapi("HookDelivery");

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

export function hookBody({ id, name, source, config, created_at }: HookRow): z.infer<typeof Hook> {
  const { filter, model, deliver, recipe } = config;
  return {
    id,
    object: "hook",
    url: `/v1/hooks/${id}`,
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

export function deliveryBody(row: DeliveryRow): z.infer<typeof HookDelivery> {
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
    model_url: work && "url" in work ? work.url : null,
    model_id: done ? row.model_id : null,
    job_id: done ? row.job_id : null,
    attempts: row.attempts,
    created_at: seconds(row.created_at),
  };
}
