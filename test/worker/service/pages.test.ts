import { expect, it } from "vitest";
import { api } from "../../../src/routes/api.ts";
import { openApiDocument } from "../../../src/routes/openapi-document.ts";
import { addJobRow, removeJobRow } from "../../../src/store/jobs.ts";
import { newTraining } from "../training/trainings.ts";
import { digitsNpz } from "./dataset-files.ts";
import { linearFile } from "./models.ts";
import { eventually, Runner } from "./pool-runner.ts";
import { env, newWorkspace, type Workspace } from "./service.ts";

/** A list with rows in it: what adds one more, and what deletes one, where rows can be deleted. */
interface List {
  path: string;
  call: Workspace["call"];
  add?: () => Promise<unknown>;
  remove?: (id: string) => Promise<unknown>;
}

const STEPS = [{ op: "prune", amount: 0.5 }];
const LOOPBACK = { env: { ALLOW_LOOPBACK: "1" } };

/** A collection whose items are made by POST, and deleted by DELETE. */
function collection(path: string, init: () => object, parent = path) {
  return async (): Promise<List> => {
    const { call } = await newWorkspace();
    return {
      path,
      call,
      add: async () => expect((await call(parent, init())).status).toBe(201),
      remove: async (id) =>
        expect((await call(`${path}/${id}`, { method: "DELETE" })).status).toBe(204),
    };
  };
}

/** A list of what was done, which nobody takes back. */
async function grown(list: List): Promise<List> {
  for (let n = 0; n < 5; n++) await list.add?.();
  return list;
}

const file = await linearFile(8, 8);
let sessions = 0;

const LISTS: Record<string, () => Promise<List>> = {
  listModels: collection("/v1/models", () => ({ body: file })),
  listDatasets: collection("/v1/datasets", () => ({ body: digitsNpz() })),
  listRecipes: collection("/v1/recipes", () => ({ json: { name: "halve", steps: STEPS } })),
  listHooks: collection("/v1/hooks", () => ({
    json: { source: "standard", model: { url: "{data.url}" }, steps: STEPS },
  })),
  listKeys: collection("/v1/keys", () => ({ json: { name: "k" } })),
  listWebhookEndpoints: collection("/v1/webhook-endpoints", () => ({
    json: { url: "http://127.0.0.1:9/" },
    ...LOOPBACK,
  })),
  listUploads: async () => {
    const { remove: _, ...list } = await collection("/v1/uploads", () => ({ json: {} }))();
    return list;
  },
  listRunnerTokens: async () => {
    const { remove: _, ...list } = await collection("/v1/runner-tokens", () => ({ json: {} }))();
    return list;
  },
  listJobs: async () => {
    const { id: workspace, call } = await newWorkspace();
    const modelId = (await call("/v1/models", { body: file })).json.id;
    let number = 0;
    const add = async () => {
      const id = `job_${workspace.slice(3, 20)}${number++}`;
      const view = JSON.stringify({ id });
      const row = { id, workspace, operation: "prune", modelId, view, inputs: [] };
      expect(await addJobRow(env.DB, row)).toBe(true);
    };
    return { path: "/v1/jobs", call, add, remove: (id) => removeJobRow(env.DB, id) };
  },
  listHookDeliveries: async () => {
    const { call } = await newWorkspace();
    const hook = { source: "standard", model: { url: "{data.url}" }, steps: STEPS };
    const { id } = (await call("/v1/hooks", { json: { ...hook, filter: { tag: "v*" } } })).json;
    const add = async () => {
      const answer = await call(`/v1/hooks/${id}/test`, { json: { payload: { type: "other" } } });
      expect([answer.status, answer.json.decision]).toEqual([202, "ignored"]);
    };
    return await grown({ path: `/v1/hooks/${id}/deliveries`, call, add });
  },
  listWebhookDeliveries: async () => {
    const { call } = await newWorkspace();
    const json = { url: "http://127.0.0.1:9/" };
    const { id } = (await call("/v1/webhook-endpoints", { json, ...LOOPBACK })).json;
    const at = `/v1/webhook-endpoints/${id}`;
    const add = async () => expect((await call(`${at}/test`, { method: "POST" })).status).toBe(202);
    return await grown({ path: `${at}/deliveries`, call, add });
  },
  listAuditEntries: async () => {
    const { call } = await newWorkspace();
    const add = async () => await call("/v1/uploads", { json: {} });
    return await grown({ path: "/v1/audit-log", call, add });
  },
  listRunners: async () => runners("/v1/runners"),
  getRunnerLog: async () => runners("/v1/runners/log"),
  listCheckpoints: async () => {
    const { call, train } = await newTraining();
    const order = { steps: 10, checkpoint_every: 2, batch_size: 16, world_size: 1 };
    const { json } = await train(order, { Prefer: "wait=60" });
    expect(json.state).toBe("succeeded");
    return { path: `/v1/jobs/${json.id}/checkpoints`, call };
  },
};

async function runners(path: string): Promise<List> {
  const { call } = await newWorkspace();
  const { secret } = (await call("/v1/runner-tokens", { json: {} })).json;
  return await grown({
    path,
    call,
    add: async () => await Runner.join(secret, `session-${sessions++}`),
  });
}

/** What tells rows apart, where they have no id. */
const nameOf = (row: { id?: string; step?: number; at?: number; runner?: string }) =>
  row.id ?? String(row.step ?? `${row.at} ${row.runner}`);

async function all({ call, path }: List): Promise<string[]> {
  const { json } = await call(`${path}?limit=100`);
  expect(json).toMatchObject({ object: "list", has_more: false, next_cursor: null });
  return json.data.map(nameOf);
}

it("every list that grows is here, and those of fixed rows are not", () => {
  const paths = (openApiDocument(api).paths ?? {}) as unknown as Record<
    string,
    { get?: { operationId: string; parameters?: { name: string }[] } }
  >;
  const gets = Object.values(paths).flatMap(({ get }) => (get ? [get] : []));
  const names = (get: (typeof gets)[number]) => get.parameters?.map(({ name }) => name) ?? [];
  const paged = gets.filter((get) => names(get).includes("cursor"));
  expect(paged.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(LISTS).sort());
  for (const get of paged) expect(names(get)).toEqual(expect.arrayContaining(["limit", "cursor"]));
  // The rows of a dataset, a model's nodes and a curve do not change: they are read by their numbers.
  const listed = gets.filter(({ operationId }) => /^list|Log$/.test(operationId));
  expect(listed.filter((get) => !paged.includes(get))).toEqual([]);
});

it.each(Object.keys(LISTS))(
  "%s: pages neither skip nor repeat while rows come and go",
  async (name) => {
    const list = await (LISTS[name] as () => Promise<List>)();
    const { call, path, add, remove } = list;
    while (add && (await all(list)).length < 6) await add();
    const before = await all(list);
    const page = async (cursor: string) =>
      (await call(`${path}?limit=2&cursor=${encodeURIComponent(cursor)}`)).json;

    const first = (await call(`${path}?limit=2`)).json;
    expect(first).toMatchObject({
      object: "list",
      has_more: true,
      next_cursor: expect.any(String),
    });
    expect(first.data.map(nameOf)).toEqual(before.slice(0, 2));
    await later();
    await add?.();
    // The very row that the cursor was made of.
    await remove?.(before[1] as string);
    const second = await page(first.next_cursor);
    expect(second.data.map(nameOf)).toEqual(before.slice(2, 4));
    expect(second.has_more).toBe(true);
    await add?.();
    await remove?.(before[4] as string);
    const third = await page(second.next_cursor);
    const rest = remove ? before.slice(5, 7) : before.slice(4, 6);
    expect(third.data.map(nameOf)).toEqual(rest);
    // The same page again, after all that.
    expect((await page(first.next_cursor)).data.map(nameOf)).toEqual(before.slice(2, 4));

    const stranger = await newWorkspace();
    const foreign = await stranger.call(`${path}?limit=100&cursor=${first.next_cursor}`);
    const seen: string[] = foreign.status === 200 ? foreign.json.data.map(nameOf) : [];
    expect([200, 404]).toContain(foreign.status);
    expect(seen.filter((each) => before.includes(each))).toEqual([]);
  },
);

/** Rows are in the order of their milliseconds: what comes now is to be newer than what is there. */
async function later(): Promise<void> {
  const now = Date.now();
  await eventually(() => {
    if (Date.now() <= now) throw new Error("the same millisecond");
  });
}

it.each(Object.keys(LISTS))("%s: what is no limit and no cursor is a 400", async (name) => {
  const { call, path } = await (LISTS[name] as () => Promise<List>)();
  for (const limit of ["0", "101", "-1", "1.5", "x", ""]) {
    const { json } = await call(`${path}?limit=${limit}`);
    expect([limit, json.status, json.code]).toEqual([limit, 400, "invalid_request"]);
  }
  const numbered = btoa("x.y");
  for (const cursor of ["", "!", "x", "-1", "1e3", numbered, btoa("1."), "9".repeat(30)]) {
    const { json } = await call(`${path}?cursor=${encodeURIComponent(cursor)}`);
    expect([cursor, json.status, json.code]).toEqual([cursor, 400, "invalid_cursor"]);
  }
  const { json } = await call(`${path}?page=2`);
  expect([json.status, json.code]).toEqual([400, "unknown_option"]);
});
