/** @file A runner that says what the test tells it to say, and a pool of a workspace of its own. */
import { env } from "cloudflare:test";
import type { RunnerPool } from "../../../durable-objects/runner-pool.ts";
import { runnerPool } from "../../../src/jobs/runners/pool.ts";
import type { TaskOrder } from "../../../src/jobs/runners/task-order.ts";
import { FromPool, type FromRunner, type RunnerInfo } from "../../../src/runner/protocol.ts";
import { newWorkspace, open, type Workspace } from "./service.ts";

export const INFO: RunnerInfo = {
  name: "test",
  platform: "workerd",
  runtime: "none",
  backends: ["wasm"],
  kinds: ["benchmark", "evaluate"],
  adapter: null,
  max_model_bytes: 1_000_000,
};

export const RESULT = {
  backend: "wasm",
  device: "here",
  result: { runs: 3, median_ms: 1, p90_ms: 2, min_ms: 1, load_ms: 5 },
  original: null,
};

export class Runner {
  readonly heard: FromPool[] = [];
  closed: { code: number; reason: string } | undefined;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.accept();
    socket.addEventListener("message", ({ data }) => {
      if (data !== "pong") this.heard.push(FromPool.parse(JSON.parse(String(data))));
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.closed = { code, reason };
    });
  }

  static async open(secret: string, headers: Record<string, string> = {}): Promise<Runner> {
    const response = await open("/v1/runners/connect", {
      headers: { Upgrade: "websocket", Authorization: `Bearer ${secret}`, ...headers },
    });
    if (!response.webSocket) throw new Error(`${response.status} ${await response.text()}`);
    return new Runner(response.webSocket);
  }

  /** One that is welcome and ready. */
  static async join(secret: string, session = "session-1", info = INFO): Promise<Runner> {
    const runner = await Runner.open(secret);
    runner.say({ type: "hello", version: 1, session, info, working: null });
    await runner.hears("welcome");
    runner.say({ type: "ready" });
    return runner;
  }

  say(message: FromRunner | string): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  leave(code = 1000): void {
    this.#socket.close(code, "");
  }

  /** The first message of this type that was not taken yet. */
  async hears<T extends FromPool["type"]>(type: T): Promise<Extract<FromPool, { type: T }>> {
    return await eventually(() => {
      const at = this.heard.findIndex((message) => message.type === type);
      if (at < 0) throw new Error(`no ${type}; heard ${JSON.stringify(this.heard)}`);
      return this.heard.splice(at, 1)[0] as Extract<FromPool, { type: T }>;
    });
  }

  async isClosed(code: number): Promise<string> {
    return await eventually(() => {
      if (this.closed?.code !== code) throw new Error(`closed: ${JSON.stringify(this.closed)}`);
      return this.closed.reason;
    });
  }
}

export async function eventually<T>(look: () => T | Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await look();
    } catch (error) {
      if (tries > 2000) throw error;
      await scheduler.wait(20);
    }
  }
}

export interface Pool extends Workspace {
  pool: ReturnType<typeof runnerPool>;
  secret: string;
  tokenId: string;
}

export async function newPool(): Promise<Pool> {
  const workspace = await newWorkspace();
  const { json } = await workspace.call("/v1/runner-tokens", { json: { name: "lab" } });
  return {
    ...workspace,
    pool: runnerPool(env, workspace.id),
    secret: json.secret,
    tokenId: json.id,
  };
}

let orders = 0;
export function benchmark(change: Partial<TaskOrder> = {}): TaskOrder {
  const id = `task_${orders++}`;
  return {
    id,
    kind: "benchmark",
    spec: {},
    needs: {},
    group: "g",
    sources: {},
    targets: {},
    ...change,
  };
}

export function objectOf({ id }: Workspace): DurableObjectStub<RunnerPool> {
  return env.RUNNERS.get(env.RUNNERS.idFromName(id)) as DurableObjectStub<RunnerPool>;
}
