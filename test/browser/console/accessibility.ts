/** @file What makes a page hard to use: names that are missing, texts that are faint. */
import type { Page } from "playwright-core";

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
  return await page.evaluate<string[]>(FAINT_TEXTS);
}

/** In the page. A canvas resolves every notation of a colour to bytes. */
const FAINT_TEXTS = `(() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((byte) => {
      const c = byte / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (channels(backgroundColor)[3] === 255) return backgroundColor;
    }
    return "white";
  };
  return [...document.querySelectorAll("body *")].flatMap((element) => {
    const own = [...element.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "",
    );
    if (!own || element.closest(":disabled, option, .unseen, noscript")) return [];
    if (element.getClientRects().length === 0) return [];
    const style = getComputedStyle(element);
    const color = element instanceof SVGElement ? style.fill : style.color;
    const [light, dark] = [luminance(color), luminance(behind(element))].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    return ratio < 4.5 ? [ratio.toFixed(2) + " " + element.textContent.slice(0, 40)] : [];
  });
})()`;
