/** @file The console in Chromium, on one service: what each page does, for real; errors of the page fail the test. */
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { hasChromium } from "./chromium.ts";
import { automates } from "./console/automate.ts";
import { compresses } from "./console/compress.ts";
import { type Console, openConsole } from "./console/open-console.ts";
import { servesItsPages } from "./console/pages.ts";
import { trains } from "./console/train.ts";

describe.skipIf(!hasChromium)("the console", () => {
  let served: Console;

  beforeAll(async () => {
    served = await openConsole();
  });
  afterAll(async () => {
    await served.end();
  });
  afterEach(() => {
    expect(served.browser.errors.splice(0)).toEqual([]);
  });

  describe("compresses", () => compresses(() => served));
  describe("trains", () => trains(() => served));
  describe("automates", () => automates(() => served));
  describe("serves its pages", () => servesItsPages(() => served));
});
