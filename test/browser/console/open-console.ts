/** @file The console in Chromium, on a service of its own: signed in. */
import type { Page } from "playwright-core";
import { Hone } from "../../../sdk/typescript/src/index.ts";
import { newService, type TestService } from "../../e2e/service.ts";
import { type Browser, startChromium } from "../chromium.ts";

/** On a machine that others use, too. */
const TIMEOUT_MS = 30_000;

export interface Console {
  service: TestService;
  browser: Browser;
  hone: Hone;
  /** Signed in, at a page by its fragment's path: `jobs/job_1`. */
  open: (path?: string, browser?: Browser) => Promise<Page>;
  end: () => Promise<void>;
}

export async function openConsole(): Promise<Console> {
  const [service, browser] = await Promise.all([
    newService({ allowLoopback: true }),
    startChromium(),
  ]);
  const open = async (path = "", where = browser) => {
    const page = await where.open(`${service.url}/#key=${service.apiKey}`);
    page.setDefaultTimeout(TIMEOUT_MS);
    await page.getByRole("navigation").waitFor();
    if (path !== "") await page.goto(`${service.url}/#/${path}`);
    return page;
  };
  return {
    service,
    browser,
    hone: new Hone({ apiKey: service.apiKey, baseUrl: service.url }),
    open,
    end: async () => {
      await browser.close();
      await service.end();
    },
  };
}

/** The job of the page, once it is over. */
export async function ended(page: Page, word: "Succeeded" | "Failed" | "Canceled"): Promise<void> {
  await page.getByTestId("state").filter({ hasText: word }).waitFor();
}
