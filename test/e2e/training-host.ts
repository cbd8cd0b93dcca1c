/** @file A service with a digit classifier to train, and `hone runner` processes that lend it this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { digitModelFile } from "../../examples/demo/digit-model.ts";
import { digitsNpz } from "../../examples/demo/digits-dataset.ts";
import { newService } from "./service.ts";

const HONE = join(import.meta.dirname, "../../src/cli/hone.ts");
/** Debian's chromium brings a Vulkan driver that needs no GPU; libvulkan1 loads it. */
const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";
export const hasDriver = existsSync(DRIVER);

// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

export interface TrainingHost {
  url: string;
  post(path: string, body: unknown): Promise<Json>;
  get(path: string): Promise<Json>;
  /** Orders a training of the digits. @returns the job's id */
  train(options: Record<string, unknown>): Promise<string>;
  /** The job once it is over. */
  over(id: string): Promise<Json>;
  /** Of every step that was told of, in order. */
  curve(id: string): Promise<{ step: number; loss: number }[]>;
  /** Starts a runner and waits until the pool lists it as idle, or as taken. */
  start(name: string, backend: string): Promise<ChildProcess>;
  /** Starts a runner and waits until it knocks: `join` lets it in, which takes no time to speak of. */
  hold(name: string, backend: string): Promise<HeldRunner>;
  /** As the pool lists it. */
  runner(name: string): Promise<Json>;
  end(): Promise<void>;
}

export interface HeldRunner {
  child: ChildProcess;
  join(): Promise<void>;
}

export async function newTrainingHost(): Promise<TrainingHost> {
  const service = await newService();
  const runners: ChildProcess[] = [];
  const stored = async (path: string, body: Uint8Array<ArrayBuffer>) =>
    ((await (await service.call(path, { method: "POST", body })).json()) as Json).id;
  const model = await stored("/v1/models", await digitModelFile());
  const dataset = await stored("/v1/datasets", digitsNpz({ perDigit: 40 }));
  const get: TrainingHost["get"] = async (path) => await (await service.call(path)).json();
  const post: TrainingHost["post"] = async (path, body) => {
    const headers = { "Content-Type": "application/json" };
    const sent = { method: "POST", headers, body: JSON.stringify(body) };
    return await (await service.call(path, sent)).json();
  };
  const runner: TrainingHost["runner"] = async (name) =>
    (await get("/v1/runners")).data.find(({ info }: Json) => info.name === name);
  const hold: TrainingHost["hold"] = async (name, backend) => {
    const token = await post("/v1/runner-tokens", { name });
    const door = await newDoor(service.url);
    // Less to compile for a software adapter.
    const dawn = ["--dawn", "enable-dawn-features=disable_workgroup_init"];
    const args = ["runner", "--url", door.url, "--name", name, "--backend", backend, ...dawn];
    const child = spawn(process.execPath, [HONE, ...args], {
      env: { ...process.env, HONE_RUNNER_TOKEN: token.secret, VK_ICD_FILENAMES: DRIVER },
      stdio: ["ignore", "ignore", "inherit"],
    });
    runners.push(child);
    child.once("exit", door.close);
    await door.knocked;
    return {
      child,
      async join() {
        door.open();
        await until(async () => {
          if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
          return ["idle", "working"].includes((await runner(name))?.state);
        });
      },
    };
  };
  return {
    url: service.url,
    hold,
    get,
    post,
    runner,
    async train(options) {
      const job = await post("/v1/training-jobs", {
        model,
        dataset,
        optimizer: { type: "adam", lr: 0.003 },
        validation: { fraction: 0.25 },
        ...options,
      });
      expect(job).toMatchObject({ operation: "train" });
      return job.id;
    },
    async over(id) {
      let job: Json;
      await until(async () => {
        job = await get(`/v1/jobs/${id}`);
        return ["succeeded", "failed", "canceled"].includes(job.state);
      });
      return job;
    },
    curve: async (id) => (await get(`/v1/jobs/${id}/curve?points=4000`)).data,
    async start(name, backend) {
      const { child, join: enter } = await hold(name, backend);
      await enter();
      return child;
    },
    async end() {
      for (const child of runners) child.kill("SIGKILL");
      await service.end();
    },
  };
}

/** A way to the service that lets nobody through until it is opened. */
async function newDoor(to: string) {
  const opened = Promise.withResolvers<void>();
  const knocked = Promise.withResolvers<void>();
  const pass = async (socket: Socket) => {
    knocked.resolve();
    await opened.promise;
    const service = connect(Number(new URL(to).port), "127.0.0.1");
    socket.on("error", () => service.destroy()).pipe(service);
    service.on("error", () => socket.destroy()).pipe(socket);
  };
  const server = createServer((socket) => void pass(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    knocked: knocked.promise,
    open: opened.resolve,
    close: () => void server.close(),
  };
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 2400; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("it did not come to pass within 240 s");
}

/** SIGTERM: it finishes its step and ends as it should. */
export async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
}
