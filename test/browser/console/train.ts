/** @file Datasets and training in the console, in Chromium: rows go in, curves and ranks are seen as they come. */
import { beforeAll, expect, it } from "vitest";
import type { TrainingJob } from "../../../sdk/typescript/src/generated/schema.d.ts";
import { digitModelFile } from "../../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../../examples/demo/digits-dataset.ts";
import { type Console, ended } from "./open-console.ts";

/** @param served once the tests run */
export function trains(served: () => Console): void {
  let model: string;

  beforeAll(async () => {
    const file = await digitModelFile();
    model = (await served().hone.models.create(file, { name: "digits.onnx" })).id;
  });

  it("rows are sent, seen as images, and trained on; curves, ranks and the result are shown", async () => {
    const page = await served().open("datasets");
    await page.getByLabel(/Drop rows here/).setInputFiles({
      name: "digits.npz",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(digitsNpz({ perDigit: 16 })),
    });
    await page.getByRole("heading", { name: "digits.npz" }).waitFor();
    await page.getByRole("row", { name: /^0 28 × 28 values as an image \d$/ }).waitFor();
    await page.getByRole("button", { name: "Rows after" }).click();
    await page.getByRole("rowheader", { name: "10", exact: true }).waitFor();

    await page.getByRole("link", { name: "Train on it" }).click();
    await page.getByLabel("model", { exact: true }).selectOption(model);
    const fields = {
      "optimizer.lr": "0.003",
      epochs: "3",
      batch_size: "16",
      world_size: "2",
      "validation.fraction": "0.2",
    };
    for (const [name, value] of Object.entries(fields)) {
      await page.getByLabel(name, { exact: true }).fill(value);
    }
    await page.getByRole("button", { name: "Train" }).click();
    await ended(page, "Succeeded");

    const id = new URL(page.url()).hash.split("/")[2] ?? "";
    const job = (await served().hone.jobs.get(id)) as TrainingJob;
    expect(job).toMatchObject({
      state: "succeeded",
      options: { epochs: 3, world_size: 2, optimizer: { type: "adam", lr: 0.003 } },
    });
    const loss = page.getByRole("img", { name: /^Loss\. loss: .* at \d+, / });
    await loss.waitFor();
    const { data: curve } = await served().hone.api.GET("/v1/jobs/{id}/curve", {
      params: { path: { id } },
    });
    const points = (await loss.locator("path").getAttribute("d"))?.split(/[ML]/).length;
    expect(points).toBe((curve?.data.length ?? 0) + 1);
    const accuracy = page.getByRole("img", { name: /^Accuracy\. training: .*validation: / });
    expect(await accuracy.locator("circle").count()).toBe(6);
    const ranks = page.getByRole("table", { name: "Ranks: the time of one step" });
    expect(await ranks.locator("tbody tr").count()).toBe(2);
    expect(await ranks.locator("tbody .lane rect.part").count()).toBe(6);
    await page.getByRole("button", { name: /^Download digits/ }).waitFor();
    await page.getByRole("link", { name: `Go on from step ${job.checkpoint_step}` }).waitFor();
    await page.getByText(/^Log: \d+ events$/).click();
    await page.getByRole("cell", { name: /^epoch 3: loss/ }).waitFor();
    await page.close();
  });

  it("staleness is shown where ranks do not wait for each other, and a training is canceled", async () => {
    const [dataset] = await Array.fromAsync(served().hone.datasets.list());
    const page = await served().open(`train?model=${model}&dataset=${dataset?.id}`);
    await page.getByLabel("epochs", { exact: true }).fill("500");
    await page.getByLabel("world_size", { exact: true }).fill("2");
    await page.getByLabel("mode", { exact: true }).selectOption("async");
    await page.getByRole("button", { name: "Train" }).click();
    const ranks = page.getByRole("table", { name: "Ranks: the time of one step" });
    await ranks.getByRole("columnheader", { name: "Staleness" }).waitFor();
    // The curve grows while one looks.
    await page.getByRole("img", { name: /^Loss\. loss: .* at \d+, .* at \d{2,}$/ }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Cancel the job" }).click();
    await ended(page, "Canceled");
    await page.close();
  });

  it("what does not fit is said where it was asked for", async () => {
    const [dataset] = await Array.fromAsync(served().hone.datasets.list());
    const page = await served().open(`train?model=${model}&dataset=${dataset?.id}`);
    await page.getByText("More options").click();
    await page.getByLabel("label", { exact: true }).fill("no_such_field");
    await page.getByRole("button", { name: "Train" }).click();
    await page
      .getByRole("alert")
      .getByText(/no_such_field/)
      .first()
      .waitFor();
    expect(served().browser.errors.splice(0)).toEqual([expect.stringMatching(/status of 4\d\d/)]);
    await page.close();
  });
}
