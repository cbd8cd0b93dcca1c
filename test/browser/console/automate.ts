/** @file Recipes, hooks and webhooks in the console, in Chromium, with senders and receivers of their own. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, it } from "vitest";
import { signed } from "../../e2e/hook-caller.ts";
import { linearFile } from "../../worker/service/models.ts";
import { type Console, ended } from "./open-console.ts";

interface Received {
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

/** @param served once the tests run */
export function automates(served: () => Console): void {
  let other: Server;
  let base: string;
  const received: Received[] = [];
  /** Of the next answers; then 204. */
  const statuses: number[] = [];

  beforeAll(async () => {
    const model = await linearFile(48, 48);
    other = createServer(async (request, response) => {
      if (request.method === "GET") return response.end(model);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const headers = request.headers as Record<string, string>;
      received.push({ path: request.url ?? "", headers, body: Buffer.concat(chunks) });
      return response.writeHead(statuses.shift() ?? 204).end();
    }).listen(0, "127.0.0.1");
    await once(other, "listening");
    base = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    other.close();
  });

  it("a recipe is stored, and run on a model; each step is followed and has its job", async () => {
    const page = await served().open("recipes");
    await page.getByLabel("Name").fill("halve");
    await page.getByLabel("Steps, as JSON").fill("[{");
    await page.getByRole("button", { name: "Store the recipe" }).click();
    await page
      .getByRole("alert")
      .getByText(/^Steps: /)
      .waitFor();
    const steps = [{ op: "prune", amount: 0.5 }, { op: "benchmark", runs: 3 }, { op: "verify" }];
    await page.getByLabel("Steps, as JSON").fill(JSON.stringify(steps));
    await page.getByRole("button", { name: "Store the recipe" }).click();
    await page.getByRole("row", { name: /^halve@1 prune → benchmark → verify/ }).waitFor();

    const { id } = await served().hone.models.create(await linearFile(64, 64), { name: "m.onnx" });
    await page.goto(`${served().service.url}/#/models/${id}`);
    await page.getByLabel("Recipe").selectOption("halve");
    await page.getByRole("button", { name: "Optimize" }).click();
    await page.getByRole("heading", { level: 1, name: "Optimize" }).waitFor();
    await ended(page, "Succeeded");
    const table = page.getByRole("table", { name: "Steps" });
    await table.getByRole("row", { name: /^prune succeeded .* job_/ }).waitFor();
    await table.getByRole("row", { name: /^benchmark succeeded .* median / }).waitFor();
    await table.getByRole("row", { name: /^verify succeeded .* SQNR / }).waitFor();
    await table.getByRole("link", { name: /^job_/ }).nth(1).click();
    await page.getByRole("heading", { level: 1, name: "Benchmark" }).waitFor();
    await page.getByRole("table", { name: "Median time of one run" }).waitFor();
    await page.close();
  });

  it("a hook is made, tested and triggered; its log has payload, decision, job and result", async () => {
    const page = await served().open("hooks");
    await page.getByLabel("Name").fill("models");
    await page.getByLabel("Source").selectOption("standard");
    await page.getByLabel("The model's address").fill("{data.url}");
    await page.getByLabel("Recipe").selectOption("halve");
    await page.getByLabel("The result goes to").selectOption("http_put");
    await page.getByLabel("Address", { exact: true }).fill(`${base}/in/{job}`);
    await page.getByRole("button", { name: "Make the hook" }).click();
    const secret = (await page.getByTestId("secret").textContent()) ?? "";
    expect(secret).toMatch(/^whsec_/);
    await page.getByRole("link", { name: "models", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "models" }).waitFor();

    const receipt = page.getByTestId("receipt");
    await page.getByLabel("Payload, as JSON").fill('{"type": "nothing"}');
    await page.getByRole("button", { name: "What would it do?" }).click();
    await receipt.getByText("Ignored: the payload has no text at data.url.").waitFor();
    await page.getByText("Nothing yet.").waitFor();
    const hook = new URL(page.url()).hash.split("/")[2] ?? "";
    const body = JSON.stringify({ type: "published", data: { url: `${base}/model.onnx` } });
    const sent = await fetch(`${served().service.url}/v1/hooks/${hook}`, {
      method: "POST",
      headers: signed(secret, body),
      body,
    });
    expect(sent.status).toBe(202);
    await page.getByRole("button", { name: "Do it" }).click();
    await receipt.getByText("Ignored").waitFor();
    const log = page.getByRole("table", { name: /^What it received/ });
    await log.getByRole("row", { name: / ignored the payload has no text/ }).waitFor();
    const done = log.getByRole("row", { name: /published done .*job_.* delivered/ });
    await expect
      .poll(
        async () => {
          await page.getByRole("button", { name: "Refresh" }).click();
          return await done.count();
        },
        { timeout: 60_000, interval: 300 },
      )
      .toBe(1);
    await done.getByRole("link", { name: /^hkd_/ }).click();
    await page.getByLabel("Payload").getByText('"type": "published"').waitFor();
    await page.getByRole("table", { name: "Tries" }).getByRole("cell", { name: "204" }).waitFor();
    await page.getByRole("cell", { name: `${base}/in/job_` }).waitFor();
    expect(received.some(({ path }) => path.startsWith("/in/job_"))).toBe(true);
    await page.getByRole("link", { name: /^job_/ }).click();
    await ended(page, "Succeeded");
    await page.close();
  });

  it("an endpoint is made, tested, rotated; what it was told is seen, and told again", async () => {
    const page = await served().open("webhooks");
    await page.getByLabel("Address").fill(`${base}/events`);
    await page.getByLabel("model.created").check();
    await page.getByRole("button", { name: "Make an endpoint" }).click();
    const secret = (await page.getByTestId("secret").textContent()) ?? "";
    await page.getByRole("link", { name: `${base}/events` }).click();
    statuses.push(410);
    await page.getByRole("button", { name: "Send a test event" }).click();
    const row = page.getByRole("row", { name: /^test 1 / });
    await row.getByText("it answered 410").waitFor();
    await page.reload();
    await page.getByText("it answered 410: gone").waitFor();
    await page.getByRole("button", { name: "Send again", exact: true }).first().click();
    await page.getByText("it answered 410: gone").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Send event 1 again" }).click();
    await row.getByText("delivered").waitFor();
    const told = received.find(({ path }) => path === "/events");
    new Webhook(secret).verify(told?.body.toString() ?? "", told?.headers ?? {});
    await row.getByRole("button", { name: "test 1" }).click();
    await page.getByLabel("Payload").getByText('"message": "It works."').waitFor();

    await page.getByRole("button", { name: "Rotate the secret" }).click();
    await page.getByRole("button", { name: /^Rotate: / }).click();
    const rotated = (await page.getByTestId("secret").textContent()) ?? "";
    expect(rotated).toMatch(/^whsec_/);
    expect(rotated).not.toBe(secret);
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: /^Delete it/ }).click();
    await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
    expect(await page.getByRole("link", { name: `${base}/events` }).count()).toBe(0);
    await page.close();
  });
}
