/** @file The queue of hooks: it only says that a delivery, or the result of one, is to be looked at. */

export interface HookMessage {
  delivery: string;
  /** The recipe's job is over: what came out goes where the hook says. */
  result?: true;
}

/** Of one `sendBatch`. */
const AT_ONCE = 100;

/** Never throws: the sweep finds what was not queued. */
export async function queueHooks(env: Env, messages: readonly HookMessage[]): Promise<void> {
  try {
    for (let at = 0; at < messages.length; at += AT_ONCE) {
      const some = messages.slice(at, at + AT_ONCE);
      await env.HOOK_WORK.sendBatch(some.map((body) => ({ body })));
    }
  } catch (error) {
    console.error(JSON.stringify({ hook_deliveries: messages.length }), error);
  }
}
