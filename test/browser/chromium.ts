/** @file A real Chromium with a WebGPU device that needs no GPU; a page's errors are kept, so that a test can fail on them. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** SwiftShader as the WebGPU adapter; nothing is fetched or reported in the background. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  // Cuts the first run's shader compilation from 6–14 s to about 1 s; it only drops the zeroing of scratch memory.
  "--enable-dawn-features=disable_workgroup_init",
];

export const hasChromium = existsSync(EXECUTABLE);
if (!hasChromium) console.warn(`browser tests are skipped: there is no ${EXECUTABLE}`);

export interface Browser {
  open(url: string): Promise<Page>;
  /** Messages of the console's `error` level, uncaught errors, failed requests and refusals by the policy. */
  errors: string[];
  close(): Promise<void>;
}

export async function startChromium(
  options: { width?: number; dark?: boolean } = {},
): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "hone-chromium-"));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    headless: true,
    args: ARGUMENTS,
    viewport: { width: options.width ?? 1100, height: 900 },
    colorScheme: options.dark ? "dark" : "light",
    acceptDownloads: true,
  });
  const errors: string[] = [];
  const watch = (page: Page) => {
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("crash", () => errors.push("the page crashed"));
  };
  for (const page of context.pages()) watch(page);
  context.on("page", watch);
  return {
    errors,
    open: async (url) => {
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      await page.goto(url);
      return page;
    },
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
