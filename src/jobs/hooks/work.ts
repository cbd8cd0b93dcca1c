/**
 * @file From a stored delivery to a recipe's job. The queue only says that there is one: the row is the truth, so that
 * a message that is lost, or comes twice, does no harm. Model and job have their ids from the row.
 */
import { ApiError } from "../../problem/api-error.ts";
import { apiErrorOf } from "../../problem/from-error.ts";
import {
  type DeliveryRow,
  forgetDeliveries,
  keepDelivery,
  settleDelivery,
  takeDelivery,
  waitingDeliveries,
} from "../../store/hook-deliveries.ts";
import { addResult, dropResult, waitingResults } from "../../store/hook-results.ts";
import { findHook } from "../../store/hooks.ts";
import { orderOptimization } from "../recipes/order-optimization.ts";
import { requireRecipe } from "../recipes/stored-recipe.ts";
import type { HookConfig } from "./hook.ts";
import { importModel } from "./import-model.ts";
import { workOnResult } from "./deliver-result.ts";
import { type HookMessage, queueHooks } from "./queue.ts";

/** Who works on a delivery says so more often than this, or is given up. */
const LEASE_MS = 20_000;
const KEEP_MS = 5_000;
const BUSY_RETRY_S = 10;
const MAX_ATTEMPTS = 5;
/** Imports at once, of one batch: each may hold 16 MiB. */
const AT_ONCE = 3;
const SWEPT = 100;
const KEPT_MS = 30 * 24 * 60 * 60_000;

export async function workBatch(env: Env, batch: MessageBatch<HookMessage>): Promise<void> {
  const waiting = [...batch.messages];
  const workOff = async () => {
    for (let message = waiting.pop(); message; message = waiting.pop()) {
      try {
        const { delivery, result } = message.body;
        const again = await (result ? workOnResult(env, delivery) : workOn(env, delivery));
        if (again === undefined) message.ack();
        else message.retry({ delaySeconds: again });
      } catch (error) {
        console.error(JSON.stringify({ hook_delivery: message.body.delivery }), error);
        message.retry({ delaySeconds: BUSY_RETRY_S });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, workOff));
}

/** @returns seconds after which to look again; `undefined` when it is settled */
async function workOn(env: Env, id: string): Promise<number | undefined> {
  const row = await takeDelivery(env.DB, id, LEASE_MS);
  if (row === undefined) return undefined;
  if (row === "busy") return BUSY_RETRY_S;
  const keeping = setInterval(() => {
    keepDelivery(env.DB, id).catch((error: unknown) => console.error(error));
  }, KEEP_MS);
  try {
    await carryOut(env, row);
    await settleDelivery(env.DB, id, "done", null);
    return undefined;
  } catch (error) {
    return await failed(env, row, error);
  } finally {
    clearInterval(keeping);
  }
}

async function carryOut(env: Env, row: DeliveryRow): Promise<void> {
  const { workspace_id: workspace, hook_id, work, model_id, job_id } = row;
  const hook = await findHook(env.DB, workspace, hook_id);
  if (!hook || !work) throw new ApiError("not_found", "the hook was deleted");
  const recipe = await recipeOf(env, workspace, hook.config);
  const model = await importModel(env, workspace, model_id, work, row.attempts > 1);
  const { deliver: target, origin = "" } = hook.config;
  if (target.to === "catalogue") {
    await orderOptimization(env, workspace, { model, name: null, ...recipe }, job_id);
    return;
  }
  await addResult(env.DB, { id: row.id, workspace, job: job_id }, target);
  const links = target.to === "signed_url" && {
    links: { origin, expires_in_s: target.expires_in_s },
  };
  const delivery = { id: row.id, ...links };
  await orderOptimization(env, workspace, { model, name: null, delivery, ...recipe }, job_id);
}

async function recipeOf(env: Env, workspace: string, { recipe }: HookConfig) {
  if ("steps" in recipe) return { steps: recipe.steps, recipe: null };
  return await requireRecipe(env, workspace, recipe.reference);
}

/** What the sender or the model is to blame for ends it; an address that does not answer may do so later. */
async function failed(env: Env, row: DeliveryRow, error: unknown): Promise<number | undefined> {
  const known = apiErrorOf(error);
  const forGood = known && known.status < 500 && known.code !== "url_fetch_failed";
  if (!known || known.status >= 500) {
    console.error(JSON.stringify({ hook_delivery: row.id, attempts: row.attempts }), error);
  }
  const reason = known ? `${known.code}: ${known.message}` : "internal_error: it failed here";
  if (forGood || row.attempts >= MAX_ATTEMPTS) {
    await settleDelivery(env.DB, row.id, "failed", reason);
    await dropResult(env.DB, row.id);
    return undefined;
  }
  await settleDelivery(env.DB, row.id, "queued", reason);
  return 2 ** row.attempts;
}

/** What a lost message left behind; and what is long over is forgotten. */
export async function sweepDeliveries(env: Env, now = Date.now()): Promise<void> {
  const ids = await waitingDeliveries(env.DB, now, SWEPT);
  await queueHooks(
    env,
    ids.map((delivery) => ({ delivery })),
  );
  const results = await waitingResults(env.DB, now, SWEPT);
  await queueHooks(
    env,
    results.map((delivery) => ({ delivery, result: true })),
  );
  await forgetDeliveries(env.DB, now - KEPT_MS);
}
