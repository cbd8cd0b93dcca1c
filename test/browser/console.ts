/** @file The console in Chromium, on a service of its own: signed in, and what its pages must never do. */
import type { Page } from "playwright-core";
import { Hone } from "../../sdk/typescript/src/index.ts";
import { newService, type TestService } from "../e2e/service.ts";
import { type Browser, startChromium } from "./chromium.ts";

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
  const [service, browser] = await Promise.all([newService(), startChromium()]);
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

/** Roles and places of what can be operated and has no name, as Chromium's accessibility tree has it. */
export async function nameless(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  return nodes
    .filter(({ ignored, properties = [], role }) => {
      const focusable = properties.some(({ name, value }) => name === "focusable" && value.value);
      return !ignored && focusable && role?.value !== "RootWebArea";
    })
    .filter(({ name }) => String(name?.value ?? "").trim() === "")
    .map(({ role, backendDOMNodeId }) => `${role?.value} ${backendDOMNodeId}`);
}

/** Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3), with the ratio. */
export async function faintTexts(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    // A canvas resolves every notation of a colour to bytes.
    const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const channels = (color: string): number[] => {
      if (!context) return [0, 0, 0, 0];
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color: string) => {
      const [r = 0, g = 0, b = 0] = channels(color).map((byte) => {
        const c = byte / 255;
        return c <= 0.040_45 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element: Element): string => {
      for (let at: Element | null = element; at; at = at.parentElement) {
        const { backgroundColor } = getComputedStyle(at);
        if (channels(backgroundColor)[3] === 255) return backgroundColor;
      }
      return "white";
    };
    return [...document.querySelectorAll("body *")].flatMap((element) => {
      const own = [...element.childNodes].some(
        (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim(),
      );
      if (!own || element.closest(":disabled, option, .unseen, noscript")) return [];
      if (element.getClientRects().length === 0) return [];
      const style = getComputedStyle(element);
      const color = element instanceof SVGElement ? style.fill : style.color;
      const [a, b] = [luminance(color), luminance(behind(element))].sort((x, y) => y - x);
      const ratio = ((a ?? 0) + 0.05) / ((b ?? 0) + 0.05);
      return ratio < 4.5 ? [`${ratio.toFixed(2)} ${element.textContent?.slice(0, 40)}`] : [];
    });
  });
}
