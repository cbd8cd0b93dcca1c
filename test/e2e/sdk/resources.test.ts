/** @file The TypeScript SDK's resources beside models and jobs, against a running service; what receivers verify. */
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  AuthenticationError,
  Hone,
  NotFoundError,
  verifyWebhook,
  WebhookVerificationError,
} from "../../../sdk/typescript/src/index.ts";
import { linearFile } from "../../worker/service/models.ts";
import { newService, type TestService } from "../service.ts";

let service: TestService;
let hone: Hone;
beforeAll(async () => {
  service = await newService();
  hone = new Hone({ apiKey: service.apiKey, baseUrl: service.url });
});
afterAll(async () => await service.end());

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

it("a recipe is stored, tried by a hook, and carried out", async () => {
  const recipe = await hone.recipes.create({
    name: "halve",
    steps: [{ op: "prune", amount: 0.5 }],
  });
  expect(await hone.recipes.get(recipe.id)).toEqual(recipe);
  const hook = await hone.hooks.create({
    source: "standard",
    model: { url: "{data.url}" },
    recipe: "halve",
  });
  const payload = { type: "x", data: { url: "https://example.com/model.onnx" } };
  const receipt = await hone.hooks.test(hook.id, { event: "", payload, dry_run: true });
  expect(receipt.decision).toBe("accepted");
  expect(await all(hone.hooks.deliveries(hook.id))).toEqual([]);
  const model = await hone.models.create(await linearFile(32, 32));
  const job = await hone.models.optimize(model.id, { recipe: "halve" });
  expect((await hone.jobs.wait(job.id)).state).toBe("succeeded");
  expect((await all(hone.recipes.list())).map(({ id }) => id)).toEqual([recipe.id]);
  expect((await all(hone.hooks.list())).map(({ id }) => id)).toEqual([hook.id]);
  await hone.hooks.delete(hook.id);
  await expect(hone.hooks.get(hook.id)).rejects.toThrow(NotFoundError);
  await hone.recipes.delete(recipe.id);
  await expect(hone.recipes.get(recipe.id)).rejects.toThrow(NotFoundError);
});

it("a key is rotated, its old secret ends; the audit log and the usage tell of it", async () => {
  const key = await hone.keys.create({ name: "ci", scopes: ["read"] });
  const turned = await hone.keys.rotate(key.id, { grace_s: 0 });
  const as = (apiKey: string) => new Hone({ apiKey, baseUrl: service.url });
  await expect(as(key.secret).models.get("model_none")).rejects.toThrow(AuthenticationError);
  await expect(as(turned.secret).models.get("model_none")).rejects.toThrow(NotFoundError);
  expect((await all(hone.keys.list())).map(({ id }) => id)).toContain(key.id);
  await hone.keys.delete(key.id);
  await expect(hone.keys.get(key.id)).rejects.toThrow(NotFoundError);
  const actions = (await all(hone.workspace.audit({ limit: 100 }))).map(({ action }) => action);
  expect(actions).toContain("POST /v1/keys/:id/rotate");
  expect((await hone.workspace.usage()).object).toBe("usage");
  expect((await hone.workspace.get()).id).toBe("ws_local");
});

it("any POST whose answer is lost is repeated, and done once", async () => {
  let lost = 1;
  const shaky = new Hone({
    apiKey: service.apiKey,
    baseUrl: service.url,
    fetch: async (input) => {
      const answer = await fetch(input as Request);
      if (lost-- > 0) throw new TypeError("the answer was lost");
      return answer;
    },
  });
  const endpoint = await shaky.webhookEndpoints.create({ url: "https://example.com/hook" });
  const listed = await all(hone.webhookEndpoints.list());
  expect(listed.map(({ id }) => id)).toEqual([endpoint.id]);
  const rotated = await hone.webhookEndpoints.rotate(endpoint.id);
  expect(rotated.secret).not.toBe(endpoint.secret);
  await hone.webhookEndpoints.delete(endpoint.id);
});

it("what Standard Webhooks signs is verified; another body, secret or time is not", async () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const body = JSON.stringify({ type: "job.succeeded", data: { name: "ä" } });
  const now = new Date();
  const headers = {
    "webhook-id": "evt_1",
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": `v1,AAAA ${new Webhook(secret).sign("evt_1", now, body)}`,
  };
  expect(await verifyWebhook(secret, headers, body)).toEqual(JSON.parse(body));
  const bytes = new TextEncoder().encode(body);
  expect(await verifyWebhook(secret, new Headers(headers), bytes)).toEqual(JSON.parse(body));
  const late = now.getTime() + 301_000;
  for (const [given, text, at] of [
    [secret, `${body} `, now.getTime()],
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx", body, now.getTime()],
    [secret, body, late],
  ] as const) {
    await expect(verifyWebhook(given, headers, text, at)).rejects.toThrow(WebhookVerificationError);
  }
  await expect(verifyWebhook(secret, {}, body)).rejects.toThrow("webhook-id");
});
