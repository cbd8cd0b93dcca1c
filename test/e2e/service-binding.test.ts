/** @file The example of a Worker that calls the API by a service binding, beside the service in one workerd. */
import { join } from "node:path";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { linearFile } from "../worker/service/models.ts";
import { newDataDir, newService } from "./service.ts";

const ENTRY = join(import.meta.dirname, "../../examples/service-binding/worker.ts");

it("a Worker has models made smaller through a service binding", async () => {
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    format: "esm",
    write: false,
  });
  const service = await newService({
    dataDir: await newDataDir(),
    apiKey: "hone_of_the_binding",
    beside: [
      {
        name: "hone-caller",
        compatibilityDate: "2026-10-01",
        modules: [{ type: "ESModule", path: "worker.js", contents: outputFiles[0]?.text ?? "" }],
        serviceBindings: { HONE: "hone" },
        bindings: { HONE_API_KEY: "hone_of_the_binding" },
      },
    ],
  });
  try {
    const caller = await service.bindings.getWorker("hone-caller");
    const model = await linearFile(128, 128);
    const answer = await caller.fetch("https://caller/", { method: "POST", body: model });
    expect(answer.status).toBe(200);
    const smaller = await answer.arrayBuffer();
    expect(smaller.byteLength).toBeLessThan(model.length / 2);
    expect(Number(answer.headers.get("Saved-Percent"))).toBeGreaterThan(50);
    const refused = await caller.fetch("https://caller/", { method: "POST", body: "no model" });
    expect(await refused.json()).toMatchObject({ code: "not_onnx" });
    expect((await caller.fetch("https://caller/")).status).toBe(405);
  } finally {
    await service.end();
  }
});
