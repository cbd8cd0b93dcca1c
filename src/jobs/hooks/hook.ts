/** @file A trigger: who sends, what is listened to, where the model is, what is done with it, and where the result goes. */
import type { RecipeStep } from "../recipes/recipe.ts";

export const HOOK_SOURCES = ["standard", "github", "huggingface", "r2"] as const;
export type HookSource = (typeof HOOK_SOURCES)[number];

/** Beside the catalogue, where every result is. */
export type HookTarget =
  | { to: "catalogue" }
  | { to: "signed_url"; expires_in_s: number }
  | { to: "r2"; prefix: string }
  | { to: "http_put"; url: string };

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
  deliver: HookTarget;
  /** Of the service, as whoever made the hook reached it: signed URLs begin with it. */
  origin?: string;
}

/** Where one model of a delivery is. */
export type HookWork =
  | { url: string; name: string }
  | { huggingface: { repository: string; revision: string; path: string } }
  /** In the exchange bucket; of another ETag it is another model. */
  | { object: { key: string; etag: string }; name: string };

export const DELIVERY_STATES = ["ignored", "queued", "working", "done", "failed"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export const RESULT_STATES = ["waiting", "working", "delivered", "failed"] as const;
export type ResultState = (typeof RESULT_STATES)[number];

/** One try to hand a result over. */
export interface ResultAttempt {
  /** Unix milliseconds. */
  at: number;
  /** Of the receiver's answer; `null` when there was none. */
  status: number | null;
  error: string | null;
}

/** Where a file of the result is now. */
export interface ResultPlace {
  file: string;
  bytes: number;
  sha256: string;
  /** A URL, or a key of the exchange bucket. */
  place: string;
}
