import { expect, it } from "vitest";
import { inTurn } from "../../../src/jobs/turns.ts";

const pause = (ms: number) => scheduler.wait(ms);

it("two run at once, the others in the order they came", async () => {
  let running = 0;
  let most = 0;
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      inTurn(async () => {
        order.push(index);
        most = Math.max(most, ++running);
        await pause(30);
        running--;
      }),
    ),
  );
  expect(most).toBe(2);
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

it("a failure gives its turn back", async () => {
  for (let i = 0; i < 5; i++) {
    await expect(inTurn(async () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  }
  expect(await inTurn(async () => "free")).toBe("free");
});

it("one that waits can leave, and past 64 waiting the next is sent away", async () => {
  const gate = Promise.withResolvers<void>();
  const held = [1, 2].map(() => inTurn(() => gate.promise));
  await pause(50);
  const controller = new AbortController();
  const waiting = Array.from({ length: 64 }, () =>
    inTurn(async () => "ran", controller.signal).catch((error: Error) => error.name),
  );
  await pause(50);
  await expect(inTurn(async () => "ran")).rejects.toMatchObject({
    code: "overloaded",
    status: 503,
  });
  controller.abort();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(["AbortError"]));
  gate.resolve();
  await Promise.all(held);
  expect(await inTurn(async () => "free")).toBe("free");
});
