/** @file Faults by count: the n-th message that a rank takes, the n-th report that the job takes, the n-th call of a method. */
import { onTestFinished } from "vitest";
import { Rank } from "../../../durable-objects/rank.ts";
import { TrainingJob } from "../../../durable-objects/training-job.ts";

/** What is to become of a message or report. */
export type Fate =
  /** The object that takes it dies before it does. */
  | "crash_before"
  /** It dies after. */
  | "crash_after"
  /** It comes twice. */
  | "duplicate"
  /** It comes late. */
  | "delay"
  /** It comes, and the answer never does. */
  | "lose_answer"
  /** It never comes. */
  | "lose";

interface Crashable {
  ctx: DurableObjectState;
}

type Method = (...parameters: never[]) => Promise<unknown>;

/** Replaces a method for the rest of the test. */
function replace<T extends object>(
  prototype: T,
  name: keyof T & string,
  make: (original: Method) => (this: never, ...parameters: never[]) => unknown,
): void {
  const original = prototype[name] as Method;
  prototype[name] = make(original) as T[typeof name];
  onTestFinished(() => {
    prototype[name] = original as T[typeof name];
  });
}

async function suffer(
  fate: Fate | undefined,
  object: Crashable,
  call: () => Promise<unknown>,
): Promise<unknown> {
  switch (fate) {
    case undefined:
      return await call();
    case "crash_before":
      object.ctx.abort("injected crash");
      throw new Error("injected crash");
    case "crash_after":
      await call();
      object.ctx.abort("injected crash");
      throw new Error("injected crash");
    case "duplicate":
      await call();
      return await call();
    case "delay":
      await scheduler.wait(100);
      return await call();
    case "lose_answer":
      await call();
      return await new Promise(() => undefined);
    case "lose":
      return await new Promise(() => undefined);
  }
}

/** Messages that ranks take; `fate` is asked for each one, with the rank and how many that rank has taken. */
export function onMessages(fate: (rank: number, count: number) => Fate | undefined): {
  counts: Map<number, number>;
} {
  const counts = new Map<number, number>();
  const owners = new WeakMap<object, Crashable & { rank: number }>();
  let patched = false;
  replace(
    Rank.prototype,
    "link",
    (original) =>
      async function (this: Crashable, ...parameters) {
        const link = (await original.apply(this as never, parameters)) as object;
        const rank = Number(this.ctx.id.name?.split("/")[1]);
        owners.set(link, { ctx: this.ctx, rank });
        if (patched) return link;
        patched = true;
        replace(
          Object.getPrototypeOf(link) as { take: Method },
          "take",
          (take) =>
            async function (this: object, ...message) {
              const owner = owners.get(this);
              if (!owner) return await take.apply(this as never, message);
              const count = (counts.get(owner.rank) ?? 0) + 1;
              counts.set(owner.rank, count);
              // What takes a message may free its payload.
              const call = () =>
                take.apply(
                  this as never,
                  message.map((part: unknown) =>
                    part instanceof Uint8Array ? part.slice() : part,
                  ) as never[],
                );
              return await suffer(fate(owner.rank, count), owner, call);
            },
        );
        return link;
      },
  );
  return { counts };
}

/** Reports that the job takes; `fate` is asked for each one. */
export function onReports(fate: (count: number) => Fate | undefined): { taken: () => number } {
  let count = 0;
  replace(
    TrainingJob.prototype,
    "report",
    (original) =>
      async function (this: Crashable, ...parameters) {
        count++;
        return await suffer(fate(count), this, () => original.apply(this as never, parameters));
      },
  );
  return { taken: () => count };
}

/** The n-th calls of a method fail, for the `n`s given. */
export function failCalls<T extends object>(
  prototype: T,
  name: keyof T & string,
  calls: readonly number[],
  message: string,
): void {
  let count = 0;
  replace(
    prototype,
    name,
    (original) =>
      function (this: never, ...parameters) {
        count++;
        if (calls.includes(count)) throw new Error(message);
        return original.apply(this, parameters);
      },
  );
}

/** The n-th calls of a method never end, for the `n`s given. */
export function hang<T extends object>(
  prototype: T,
  name: keyof T & string,
  calls: readonly number[],
): void {
  let count = 0;
  replace(
    prototype,
    name,
    (original) =>
      function (this: never, ...parameters) {
        count++;
        if (calls.includes(count)) return new Promise(() => undefined);
        return original.apply(this, parameters);
      },
  );
}
