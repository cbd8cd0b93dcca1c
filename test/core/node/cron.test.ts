import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { matchesCron, startCrons } from "../../../src/embedded/cron.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime("2026-11-24T12:00:30Z");
});
afterEach(() => {
  vi.useRealTimers();
});

const at = (text: string) => new Date(`${text}Z`);

it.each([
  ["17 * * * *", "2026-11-24T03:17:59", true],
  ["17 * * * *", "2026-11-24T03:18:00", false],
  ["*/15 0-6,22 * * *", "2026-11-24T22:45:00", true],
  ["*/15 0-6,22 * * *", "2026-11-24T07:45:00", false],
  ["5/20 * * * *", "2026-11-24T07:45:00", true],
  ["0 0 1 1 *", "2027-01-01T00:00:00", true],
  ["0 0 * * 2", "2026-11-24T00:00:00", true],
  ["0 0 * * 3", "2026-11-24T00:00:00", false],
])("%s at %s: %s", (expression, time, fits) => {
  expect(matchesCron(expression, at(time))).toBe(fits);
});

it("what is no expression is refused by name", () => {
  for (const wrong of ["17 * * *", "x * * * *", "1-2-3 * * * *", ""]) {
    expect(() => matchesCron(wrong, new Date())).toThrow(RangeError);
  }
});

it("fires once in each hour's minute, in UTC, until it is stopped", async () => {
  const fired: string[] = [];
  const stop = startCrons(["17 * * * *"], async () => fired.push(new Date().toISOString()));
  await vi.advanceTimersByTimeAsync(3 * 60 * 60_000);
  expect(fired.map((time) => time.slice(11, 16))).toEqual(["12:17", "13:17", "14:17"]);
  stop();
  await vi.advanceTimersByTimeAsync(2 * 60 * 60_000);
  expect(fired.length).toBe(3);
});

it("after a sleep what was missed is made up for once; a run that is not over is not joined by another", async () => {
  let fired = 0;
  let release = () => {};
  startCrons(["* * * * *"], async () => {
    fired++;
    await new Promise<void>((resolve) => (release = resolve));
  });
  vi.setSystemTime("2026-11-24T20:00:00Z");
  await vi.advanceTimersByTimeAsync(31_000);
  expect(fired).toBe(1);
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect(fired).toBe(1);
  release();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(fired).toBe(2);
});

it("one that fails is not the last one", async () => {
  const said = vi.spyOn(console, "error").mockReturnValue();
  let fired = 0;
  startCrons(["* * * * *"], async () => {
    fired++;
    throw new Error("it failed");
  });
  await vi.advanceTimersByTimeAsync(180_000);
  expect(fired).toBe(3);
  expect(said).toHaveBeenCalledTimes(3);
});
