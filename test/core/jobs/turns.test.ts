/** @file Who is asked to give way: the group that has most, never one that has no more, never a task without a rank. */
import { expect, it } from "vitest";
import type { TaskRow } from "../../../src/jobs/runners/pool-record.ts";
import type { TaskOrder } from "../../../src/jobs/runners/task-order.ts";
import { toGiveWay } from "../../../src/jobs/runners/turns.ts";

function task(id: string, group: string, change: Partial<TaskOrder> = {}, leasedAt = 1): TaskRow {
  const order: TaskOrder = {
    id,
    kind: "gradient",
    spec: {},
    needs: {},
    group,
    sources: {},
    targets: {},
    ...(change.kind === undefined && { rank: `${id}/0` }),
    ...change,
  };
  const row = { number: 1, lease: 1, tries: 0, runner: null, finishedAt: 0, outcome: null };
  return { ...row, order, state: "queued", leasedAt };
}

function asked(waiting: TaskRow, leases: TaskRow[]): string | undefined {
  const running = new Map<string, number>();
  for (const { order } of leases) running.set(order.group, (running.get(order.group) ?? 0) + 1);
  return toGiveWay(waiting, leases, running)?.order.id;
}

it("the group that has most gives way, and of it the oldest lease", () => {
  const leases = [task("a", "one"), task("b", "two", {}, 9), task("c", "two", {}, 5)];
  expect(asked(task("w", "three"), leases)).toBe("c");
});

it("a group that has as many as the waiting one is not asked; its own ranks are", () => {
  const leases = [task("a", "one"), task("b", "two")];
  expect(asked(task("w", "one"), leases)).toBe("a");
  expect(asked(task("w", "one"), [task("b", "two"), task("a", "one", { kind: "verify" })])).toBe(
    undefined,
  );
});

it("a measurement, which cannot go on elsewhere, is not asked, nor is what has a higher priority", () => {
  const measurement = { kind: "verify" as const };
  expect(asked(task("w", "one"), [task("a", "two", measurement)])).toBe(undefined);
  expect(asked(task("w", "one"), [task("a", "two", { priority: 1 })])).toBe(undefined);
  expect(asked(task("w", "one", { priority: 1 }), [task("a", "two", { priority: 1 })])).toBe("a");
});
