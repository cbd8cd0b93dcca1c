/** @file A recipe's steps as requests give them: each is checked by the schema of its own endpoint. */
import { z } from "@hono/zod-openapi";
import { INPUT, RECIPE_OPS, type RecipeStep } from "../jobs/recipes/recipe.ts";
import { ApiError } from "../problem/api-error.ts";
import { Evaluate, MetricKey } from "./evaluate-options.ts";
import { Benchmark, Verify } from "./measurements.ts";
import { PRUNE_OPTION_NAMES, PruneOptions, pruneRequest } from "./prune-options.ts";
import { QUANTIZE_OPTION_NAMES, QuantizeOptions, quantizeRequest } from "./quantize-options.ts";
import { SIMPLIFY_OPTION_NAMES, SimplifyOptions, simplifyRequest } from "./simplify-options.ts";
import { TRAINING_OPTION_NAMES, TrainingRequest } from "./training-options.ts";
import { invalidRequest } from "./validation.ts";

const MAX_STEPS = 16;

const {
  model: _model,
  resume_from: _resumeFrom,
  name: _name,
  dataset,
  ...training
} = TrainingRequest.shape;
const Train = z.strictObject({ dataset: dataset.unwrap(), ...training });

const original = z.string().max(64).openapi({
  description: "A model's id, or `input`: the model that the recipe began with.",
  example: INPUT,
});
const VerifyStep = z.strictObject({ ...Verify.shape, original: original.default(INPUT) });
const BenchmarkStep = z.strictObject({ ...Benchmark.shape, original: original.optional() });

const bounds = (description: string) =>
  z
    .record(MetricKey, z.number())
    .optional()
    .openapi({ description, example: { accuracy: 0.9 } as never });
const EvaluateStep = z.strictObject({
  ...Evaluate.shape,
  min: bounds("What metrics have to be at least; below, the recipe fails."),
  max: bounds("What metrics may be at most; above, the recipe fails."),
});

const step = <Op extends string>(op: Op, shape: z.ZodRawShape, title: string) =>
  z.strictObject({ op: z.literal(op), ...shape }).openapi(title);

export const RecipeSteps = z
  .array(
    z
      .discriminatedUnion("op", [
        step("simplify", SimplifyOptions.shape, "SimplifyStep"),
        step("quantize", QuantizeOptions.shape, "QuantizeStep"),
        step("prune", PruneOptions.shape, "PruneStep"),
        step("train", Train.shape, "TrainStep"),
        step("verify", VerifyStep.shape, "VerifyStep"),
        step("benchmark", BenchmarkStep.shape, "BenchmarkStep"),
        step("evaluate", EvaluateStep.shape, "EvaluateStep"),
      ])
      .openapi("RecipeStep", {
        description: "An operation, with the options of its own endpoint beside it.",
      }),
  )
  .min(1)
  .max(MAX_STEPS)
  .openapi({
    description: "Each step's result is the next one's model.",
    example: [
      { op: "prune", amount: 0.5 },
      { op: "quantize", method: "weight_only" },
      { op: "verify" },
    ] as never,
  });

/** By name (its latest version), `name@version` or id. */
export const RecipeReference = z
  .string()
  .min(1)
  .max(100)
  .openapi({ description: "A stored recipe: id, name, or `name@version`.", example: "small@2" });

/**
 * What is to be done, given in one way.
 * @throws ApiError naming the ways where it is given in none of them, or in several
 */
export function requireOneOf(ways: Readonly<Record<string, unknown>>): void {
  if (Object.values(ways).filter((each) => each !== undefined).length === 1) return;
  const names = Object.keys(ways);
  const message = `give one of ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  const errors = [{ path: names[0] ?? "", message }];
  throw new ApiError("invalid_request", `body: ${message}`, { errors });
}

/** The steps, each whole or refused. @throws ApiError when it is no list of steps at all */
export function readSteps(value: unknown): (RecipeStep | ApiError)[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_STEPS) {
    const message = `has to be a list of 1 to ${MAX_STEPS} steps`;
    throw new ApiError("invalid_request", `body: steps: ${message}`, {
      errors: [{ path: "steps", message }],
    });
  }
  return value.map((each: unknown, index) => {
    try {
      return readStep(each);
    } catch (error) {
      if (error instanceof ApiError) return inStep(error, index);
      throw error;
    }
  });
}

/** @throws ApiError naming every step and option at fault */
export function requireSteps(value: unknown): RecipeStep[] {
  const steps = readSteps(value);
  const refused = steps.filter((each) => each instanceof ApiError);
  const [first] = refused;
  if (first) {
    const errors = refused.flatMap(({ members }) => members.errors ?? []);
    throw new ApiError(first.code, refused.map(({ message }) => message).join("; "), { errors });
  }
  return steps as RecipeStep[];
}

/** A step as requests spell it. */
export function stepBody({ op, options }: RecipeStep) {
  return { op, ...options };
}

function readStep(value: unknown): RecipeStep {
  const Op = z.looseObject({ op: z.enum(RECIPE_OPS) });
  const { op, ...given } = parsed(Op, value, []) as z.infer<typeof Op>;
  switch (op) {
    case "quantize":
      return {
        op,
        options: quantizeRequest(parsed(QuantizeOptions, given, QUANTIZE_OPTION_NAMES)).options,
      };
    case "simplify": {
      const request = simplifyRequest(parsed(SimplifyOptions, given, SIMPLIFY_OPTION_NAMES));
      return { op, options: request.options };
    }
    case "prune":
      return { op, options: pruneRequest(parsed(PruneOptions, given, PRUNE_OPTION_NAMES)).options };
    case "train":
      return { op, options: parsed(Train, given, TRAINING_OPTION_NAMES) };
    case "verify":
      return { op, options: parsed(VerifyStep, given, Object.keys(VerifyStep.shape)) };
    case "benchmark":
      return { op, options: parsed(BenchmarkStep, given, Object.keys(BenchmarkStep.shape)) };
    case "evaluate":
      return { op, options: evaluateOptions(given) };
  }
}

/** The metrics that have bounds are measured. */
function evaluateOptions(given: Record<string, unknown>) {
  const options = parsed(EvaluateStep, given, Object.keys(EvaluateStep.shape));
  const { metrics = [], min = {}, max = {} } = options as z.infer<typeof EvaluateStep>;
  const all = [...new Set([...metrics, ...Object.keys(min), ...Object.keys(max)])];
  return all.length === 0 ? options : { ...options, metrics: all };
}

function parsed<S extends z.ZodType>(
  schema: S,
  value: unknown,
  names: readonly string[],
): Record<string, unknown> {
  const given = schema.safeParse(value);
  if (!given.success) throw invalidRequest(given.error.issues, "json", names);
  return given.data as Record<string, unknown>;
}

function inStep({ code, message, members }: ApiError, index: number): ApiError {
  const place = `steps[${index}]`;
  const errors = (members.errors ?? []).map(({ path, message: said }) => ({
    path: path ? `${place}.${path}` : place,
    message: said,
  }));
  return new ApiError(code, `${place}: ${message.replace(/^body: /, "")}`, { errors });
}
