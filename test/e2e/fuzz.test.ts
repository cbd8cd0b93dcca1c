/**
 * @file Every operation of openapi.yaml with requests that are right, at the bounds and wrong: no failure of the service,
 * and no answer that the description does not name. FUZZ_SECONDS (15) is how long, FUZZ_SEED (1) which requests,
 * FUZZ_ONLY a pattern of operation ids. All findings are in one message.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { REPEATABLE } from "../../src/routes/idempotency.ts";
import { linearFile } from "../worker/service/models.ts";
import { faultsOf } from "./fuzz/judge.ts";
import { KnownIds } from "./fuzz/known-ids.ts";
import { type Operation, operations } from "./fuzz/operations.ts";
import { type FuzzRequest, requestsOf } from "./fuzz/requests.ts";
import { newService, type TestService } from "./service.ts";

const SECONDS = Number(process.env["FUZZ_SECONDS"] ?? 15);
const SEED = Number(process.env["FUZZ_SEED"] ?? 1);
const ONLY = new RegExp(process.env["FUZZ_ONLY"] ?? "");
/** Of one operation, before the next one's turn. */
const AT_ONCE = 5;
/** `Prefer: wait=1` and a conversion fit in. */
const PATIENCE_MS = 20_000;
const EVENTS_MS = 300;

let service: TestService;
const ids = new KnownIds();
const files: Uint8Array<ArrayBuffer>[] = [];

beforeAll(async () => {
  service = await newService({ vars: { WEBHOOK_PAUSES_S: "60" } });
  const model = await linearFile(32, 32);
  const csv = new Uint8Array(new TextEncoder().encode("a,b,label\n1,2,0\n3,4,1\n5,6,0\n"));
  files.push(model, model.slice(0, 700), csv, new Uint8Array(), new Uint8Array(2000).fill(255));
  await make("/v1/models", model);
  await make("/v1/datasets?fields=a,b,label", csv);
  const steps = [{ op: "prune", amount: 0.5 }];
  await make("/v1/recipes", { name: "halve", steps });
  await make("/v1/hooks", { source: "standard", model: { url: "{data.url}" }, steps });
  await make("/v1/uploads", { name: "x" });
  await make("/v1/webhook-endpoints", { url: "https://receiver.invalid/", events: ["job.failed"] });
  await make("/v1/runner-tokens", { name: "x" });
  await make("/v1/keys", { name: "x" });
  const { id } = await make("/v1/models", await linearFile(24, 24));
  await make(`/v1/models/${id}/prune`, { amount: 0.5 });
});
afterAll(async () => await service.end());

async function make(path: string, body: Uint8Array<ArrayBuffer> | object): Promise<{ id: string }> {
  const isBytes = body instanceof Uint8Array;
  const answer = await service.call(path, {
    method: "POST",
    headers: isBytes ? {} : { "Content-Type": "application/json" },
    body: isBytes ? body : JSON.stringify(body),
  });
  const made = (await answer.json()) as { id: string };
  if (!answer.ok) throw new Error(`fuzz: ${path} answers ${JSON.stringify(made)}`);
  ids.harvest(made);
  return made;
}

const TRIES = 24;
/** Of one operation: some have nothing here that they could work on. */
const MAX_REFUSED = 4;
const KEY = "idempotency-key";
/** Not kept: nothing was begun. */
const NOT_BEGUN = [400, 413, 415];

it("every POST that says so is done once for its Idempotency-Key; the others say why they may be repeated", async () => {
  const posts = operations.filter(({ method }) => method === "POST");
  const keyed = posts.filter(({ parameters }) => parameters.some(({ name }) => name === KEY));
  const others = posts.filter((each) => !keyed.includes(each)).map(({ id }) => id);
  expect(new Set(others)).toEqual(new Set(Object.keys(REPEATABLE)));
  const created: string[] = [];
  for (const [index, operation] of keyed.entries()) {
    const samples = fc.sample(requestsOf(operation, ids, files, ["none"]), {
      seed: index,
      numRuns: TRIES,
    });
    let last = 0;
    let refused = 0;
    for (const [at, { path, headers, body }] of samples.entries()) {
      const key = `${operation.id}-${at}`;
      const send = async (to: string, content: FuzzRequest["body"]) => {
        const answer = await service.call(to, {
          method: "POST",
          headers: { ...headers, [KEY]: key, prefer: "respond-async" },
          ...(content === undefined ? {} : { body: content }),
        });
        return {
          status: answer.status,
          replayed: answer.headers.has("Idempotent-Replayed"),
          text: await answer.text(),
        };
      };
      const first = await send(path, body);
      last = first.status;
      if (NOT_BEGUN.includes(first.status)) continue;
      ids.harvest(first.text === "" ? null : JSON.parse(first.text));
      const told = `${operation.id} ${first.status}`;
      expect([told, await send(path, body)]).toEqual([told, { ...first, replayed: true }]);
      const other = await service.call("/v1/uploads", {
        method: "POST",
        headers: { "Content-Type": "application/json", [KEY]: key },
        body: JSON.stringify({ name: "another call" }),
      });
      expect([told, await other.json()]).toMatchObject([told, { code: "idempotency_key_reused" }]);
      if (first.status < 300) {
        created.push(operation.id);
        await cancel(JSON.parse(first.text || "null"));
        break;
      }
      if (++refused === MAX_REFUSED) break;
    }
    expect([operation.id, NOT_BEGUN.includes(last)]).toEqual([operation.id, false]);
  }
  // What has nothing to work on here is refused alike; the rest has made something, once.
  expect(created.length).toBeGreaterThan(keyed.length / 2);
});

it(
  "every answer is one that openapi.yaml names, and none is a failure of the service",
  async () => {
    const wanted = operations.filter(({ id }) => ONLY.test(id));
    const findings = new Map<string, string>();
    const until = performance.now() + SECONDS * 1000;
    let sent = 0;
    for (let round = 0; round === 0 || performance.now() < until; round++) {
      for (const [index, operation] of wanted.entries()) {
        if (round > 0 && performance.now() > until) break;
        const seed = SEED * 1_000_003 + round * 1009 + index;
        const sample = fc.sample(requestsOf(operation, ids, files), { seed, numRuns: AT_ONCE });
        await Promise.all(
          sample.map(async (request) => {
            sent++;
            for (const fault of await tryRequest(operation, request)) {
              const kind = `${operation.id} ${fault.slice(0, 60)}`;
              if (!findings.has(kind))
                findings.set(kind, `${operation.id} ${fault}\n    ${told(request)}`);
            }
          }),
        );
      }
    }
    console.log(`fuzz: ${sent} requests to ${wanted.length} operations, seed ${SEED}`);
    expect([...findings.values()].join("\n")).toBe("");
  },
  SECONDS * 1000 + 120_000,
);

async function tryRequest(operation: Operation, request: FuzzRequest): Promise<string[]> {
  // It would end the workspace that all others need.
  if (operation.id === "deleteWorkspace" && request.body?.includes("ws_local" as never)) return [];
  const stop = AbortSignal.timeout(PATIENCE_MS);
  try {
    const answer = await service.call(request.path, {
      method: request.method,
      headers: request.headers,
      redirect: "manual",
      signal: stop,
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    const { status, headers } = answer;
    const body = await bodyOf(answer);
    const faults = faultsOf(operation, { status, headers, body });
    if (body && /json/.test(headers.get("Content-Type") ?? "")) {
      const value: unknown = JSON.parse(new TextDecoder().decode(body));
      ids.harvest(value);
      await cancel(value);
    }
    return faults;
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { message?: string } };
    return [`gives no answer: ${message} ${cause?.message ?? ""}`];
  }
}

/** Events go on: of them only the beginning. */
async function bodyOf(answer: Response): Promise<Uint8Array | undefined> {
  if (!answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    return new Uint8Array(await answer.arrayBuffer());
  }
  setTimeout(() => void answer.body?.cancel().catch(() => undefined), EVENTS_MS);
  return undefined;
}

/** Jobs that a request began would take the machine from those after it. */
async function cancel(value: unknown): Promise<void> {
  const { object, id, state } = (value ?? {}) as Record<string, unknown>;
  if (object !== "job" || (state !== "queued" && state !== "running")) return;
  const answer = await service.call(`/v1/jobs/${String(id)}/cancel`, { method: "POST" });
  await answer.arrayBuffer();
}

function told({ method, path, headers, body }: FuzzRequest): string {
  const shown = typeof body === "string" ? body : body && `${body.length} bytes`;
  return `${method} ${path.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${shown?.slice(0, 500) ?? ""}`;
}
