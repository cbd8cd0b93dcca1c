/** @file A trigger: who sends, what is listened to, where the model is, and what is done with it. */
import type { RecipeStep } from "../recipes/recipe.ts";

export const HOOK_SOURCES = ["standard", "github", "huggingface"] as const;
export type HookSource = (typeof HOOK_SOURCES)[number];

export interface HookConfig {
  /** Globs; what is not given matches all. */
  filter: {
    repository?: string | undefined;
    tag?: string | undefined;
    path?: string | undefined;
  };
  model: {
    /** standard: with `{data.url}` and the like, taken from the payload. */
    url?: string | undefined;
    /** github: a glob over the release's files. */
    asset?: string | undefined;
    /** huggingface: a file of the repository, or a glob that fits exactly one. */
    path?: string | undefined;
  };
  /** A stored one by reference, looked up at each delivery; or its steps. */
  recipe: { reference: string } | { steps: RecipeStep[] };
  deliver: { to: "catalogue" };
}

/** Where one model of a delivery is. */
export type HookWork =
  | { url: string; name: string }
  | { huggingface: { repository: string; revision: string; path: string } };

export const DELIVERY_STATES = ["ignored", "queued", "working", "done", "failed"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];
