import { rm } from "node:fs/promises";
import { expect, it } from "vitest";
import { linearFile } from "../worker/service/models.ts";
import { serve } from "./process.ts";
import { newDataDir, newService, type TestService } from "./service.ts";

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;
type Call = TestService["call"];

/** Follows the job until its result is being written, and is not there yet. */
async function untilWriting(call: Call, id: string): Promise<void> {
  const { body } = await call(`/v1/jobs/${id}/events`);
  if (!body) throw new Error("no events");
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('"doing":"writing"')) return;
  }
  throw new Error("the job was over before it was seen writing");
}

const jsonOf = async (response: Promise<Response>): Promise<Json> => await (await response).json();

async function startJob(call: Call, body: Uint8Array<ArrayBuffer>): Promise<Json> {
  const model = await jsonOf(call("/v1/models", { method: "POST", body }));
  return await jsonOf(
    call(`/v1/models/${model.id}/prune`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ amount: 0.5 }),
    }),
  );
}

it("a job whose process is killed in mid-work ends in the same bytes after the next start", async () => {
  const dataDir = await newDataDir();
  const body = await linearFile(4000, 3000);
  const first = await serve(dataDir);
  const { id } = await startJob(first.call, body);
  await untilWriting(first.call, id);
  await first.kill();
  const second = await serve(dataDir);
  await expect
    .poll(async () => (await jsonOf(second.call(`/v1/jobs/${id}`))).state, {
      interval: 100,
    })
    .toBe("succeeded");
  const job = await jsonOf(second.call(`/v1/jobs/${id}`));
  expect(job.attempts).toBe(2);
  const resumed = await jsonOf(second.call(`/v1/models/${job.result.model_id}`));
  const undisturbed = await startJob(second.call, body);
  await expect
    .poll(async () => (await jsonOf(second.call(`/v1/jobs/${undisturbed.id}`))).state, {
      interval: 100,
    })
    .toBe("succeeded");
  const other = await jsonOf(second.call(`/v1/jobs/${undisturbed.id}`));
  const straight = await jsonOf(second.call(`/v1/models/${other.result.model_id}`));
  expect(resumed.sha256).toBe(straight.sha256);
  await second.kill();
  await rm(dataDir, { recursive: true });
});

it("workerd ends with its host, and the folder can be served again", async () => {
  const dataDir = await newDataDir();
  const { url, kill } = await serve(dataDir);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  await kill();
  await expect
    .poll(
      async () =>
        await fetch(`${url}/healthz`).then(
          () => "up",
          () => "down",
        ),
    )
    .toBe("down");
  const next = await newService({ dataDir });
  await next.end();
});
