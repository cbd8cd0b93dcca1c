/** @file The end of an object whose workspace is deleted. */

/** What an object answers to that keeps something of a workspace. */
export interface Purgeable {
  /** Deletes all that it keeps and cuts off what still works there; safe to repeat. */
  purge(): Promise<void>;
}

/** Deletes an object's storage; a moment later, so that the caller gets its answer, its memory goes too. */
export async function purgeObject(ctx: DurableObjectState): Promise<void> {
  await ctx.storage.deleteAlarm();
  await ctx.storage.deleteAll();
  await ctx.storage.sync();
  setTimeout(() => ctx.abort("its workspace was deleted"), 10);
}
