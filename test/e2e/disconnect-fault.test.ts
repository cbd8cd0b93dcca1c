import { once } from "node:events";
import { request } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { linearFile } from "../worker/service/models.ts";
import { newService, type TestService } from "./service.ts";

let service: TestService;
beforeAll(async () => {
  service = await newService();
});
afterAll(async () => await service.end());

function post(path: string, bytes: number) {
  return request(`${service.url}${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${service.apiKey}`, "Content-Length": bytes },
  }).on("error", () => undefined);
}

/** The service still answers, with a turn to give. */
async function answers(): Promise<void> {
  const body = await linearFile(128, 128);
  const answer = await service.call("/v1/quantize?method=weight_only", { method: "POST", body });
  expect(answer.status).toBe(200);
  await answer.arrayBuffer();
}

it("clients that leave in mid-upload hold up nobody", async () => {
  const body = await linearFile(3000, 2000);
  for (let i = 0; i < 4; i++) {
    const upload = post("/v1/quantize", body.length);
    upload.write(body.subarray(0, 20 << 20));
    await new Promise((resolve) => setTimeout(resolve, 100));
    upload.destroy();
  }
  await answers();
});

it("clients that leave in mid-download hold up nobody", async () => {
  const body = await linearFile(3000, 2000);
  for (let i = 0; i < 3; i++) {
    const upload = post("/v1/prune?amount=0.5", body.length);
    upload.end(body);
    const [response] = await once(upload, "response");
    await once(response, "data");
    response.destroy();
  }
  await answers();
});
