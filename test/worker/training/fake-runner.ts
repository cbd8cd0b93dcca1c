/** @file A runner that a test holds by the hand: it computes real gradients, and says what the test makes of them. */
import { onTestFinished } from "vitest";
import type { DataType } from "../../../src/onnx/data-type.ts";
import {
  FRAME,
  frames,
  type LinkRun,
  readFrame,
  type ToRank,
  type ToRunner,
} from "../../../src/runner/gradient-link.ts";
import type { FromPool, FromRunner, RunnerInfo, Task } from "../../../src/runner/protocol.ts";
import { edgeRuntime } from "../../../src/runtime/edge.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";
import { open, type Workspace } from "../service/service.ts";

const INFO: Omit<RunnerInfo, "name"> = {
  platform: "workerd",
  runtime: "the test's",
  backends: ["wasm"],
  kinds: ["gradient", "benchmark"],
  adapter: null,
  max_model_bytes: 1_000_000,
};

/** An honest answer, and the line to say it on. */
export interface Saying {
  /** Of this runner's gradients and evaluations, from 1. */
  count: number;
  run: LinkRun;
  gradients: Float32Array<ArrayBuffer>;
  done: Extract<ToRank, { type: "done" }>;
  send: (message: ToRank | Uint8Array<ArrayBuffer> | string) => void;
  /** Says it as it is. */
  honestly: () => void;
  /** Breaks the line to the rank. */
  hangUp: () => void;
}

/** What is said in place of the honest answer; true where something was. */
export type Lie = (saying: Saying) => boolean;

export class FakeRunner {
  readonly name: string;
  readonly links: WebSocket[] = [];
  /** Tasks that it was given, and reasons for which they were taken back. */
  readonly tasks: Task[] = [];
  readonly stopped: string[] = [];
  /** Answers that it gave. */
  answers = 0;
  #count = 0;
  readonly #pool: WebSocket;
  readonly #lie: Lie;

  private constructor(name: string, pool: WebSocket, lie: Lie) {
    this.name = name;
    this.#pool = pool;
    this.#lie = lie;
    pool.accept();
    pool.addEventListener("message", ({ data }) => {
      if (data !== "pong") this.#hear(JSON.parse(String(data)) as FromPool);
    });
    this.#say({
      type: "hello",
      version: 1,
      session: `session-${name}`,
      info: { ...INFO, name },
      working: null,
    });
    onTestFinished(() => this.leave());
  }

  /** Connects to the pool of the workspace. */
  static async join(workspace: Workspace, name: string, lie: Lie = () => false) {
    const { json } = await workspace.call("/v1/runner-tokens", { json: { name } });
    const { webSocket } = await open("/v1/runners/connect", {
      headers: { Upgrade: "websocket", Authorization: `Bearer ${json.secret}` },
    });
    if (!webSocket) throw new Error("the pool does not answer");
    return new FakeRunner(name, webSocket, lie);
  }

  leave(): void {
    for (const socket of [...this.links, this.#pool]) {
      try {
        socket.close(1000, "");
      } catch {
        // It is closed.
      }
    }
  }

  /** Opens the line of a task, as a runner that has its lease. */
  async link({ spec }: Task): Promise<WebSocket> {
    const { pathname, search } = new URL(String(spec["link"]));
    const { webSocket } = await open(pathname + search, { headers: { Upgrade: "websocket" } });
    if (!webSocket) throw new Error("the rank does not answer");
    webSocket.accept();
    webSocket.binaryType = "arraybuffer";
    return webSocket;
  }

  #say(message: FromRunner): void {
    if (this.#pool.readyState === WebSocket.OPEN) this.#pool.send(JSON.stringify(message));
  }

  #hear(said: FromPool): void {
    if (said.type === "welcome") this.#say({ type: "ready" });
    else if (said.type === "task") {
      this.tasks.push(said.task);
      if (said.task.kind === "gradient") void this.#serve(said.task);
    } else if (said.type === "stop") {
      this.stopped.push(said.reason);
      this.#say({ type: "ready" });
    }
  }

  async #serve(task: Task): Promise<void> {
    const graphs = {
      gradients: await source(task, "step"),
      evaluate: await source(task, "evaluate"),
    };
    const socket = await this.link(task);
    this.links.push(socket);
    let entries: Extract<ToRunner, { type: "begin" }>["entries"] = [];
    let vector = new Uint8Array();
    let run: LinkRun | undefined;
    let fields: Uint8Array[] = [];
    let left = 0;
    let taken = 0;
    const tell = (message: ToRank) => {
      // Either side may have ended the line meanwhile.
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    };
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") {
        const said = JSON.parse(data) as ToRunner;
        if (said.type === "begin") {
          ({ entries } = said);
          vector = new Uint8Array(4 * said.length);
          return tell({ type: "ready" });
        }
        if (said.type === "release") {
          this.#say({
            type: "done",
            task: task.id,
            lease: task.lease,
            result: { steps: this.answers },
          });
          return this.#say({ type: "ready" });
        }
        run = said;
        fields = said.fields.map(({ bytes }) => new Uint8Array(bytes));
        left = said.fields.reduce((sum, { bytes }) => sum + bytes, 0);
        if (said.vector) left += vector.length;
        return;
      }
      const frame = readFrame(data as ArrayBuffer);
      const place = frame.type === FRAME.vector ? vector : fields[frame.index];
      place?.set(frame.bytes, frame.offset);
      left -= frame.bytes.length;
      taken += (data as ArrayBuffer).byteLength;
      tell({ type: "took", bytes: taken });
      if (left > 0 || !run) return;
      void this.#answer(socket, run, graphs[run.what], () => {
        const feeds: Record<string, HostTensor> = {};
        for (const [i, { name, data_type, dims, bytes }] of (run?.fields ?? []).entries()) {
          feeds[name] = {
            dataType: data_type as DataType,
            dims,
            bytes: fields[i] ?? new Uint8Array(bytes),
          };
        }
        for (const { name, dims, offset, length } of entries) {
          const bytes = vector.slice(4 * offset, 4 * (offset + length));
          feeds[name] = { dataType: 1, dims, bytes };
        }
        return { feeds, outputs: entries.map(({ gradient }) => gradient) };
      });
    });
  }

  async #answer(
    socket: WebSocket,
    run: LinkRun,
    graph: Uint8Array,
    prepare: () => { feeds: Record<string, HostTensor>; outputs: string[] },
  ): Promise<void> {
    const { feeds, outputs } = prepare();
    const results = await edgeRuntime().runResident(
      `fake ${run.what} ${graph.length}`,
      async () => graph,
      feeds,
    );
    const parts = run.what === "gradients" ? outputs.map((name) => results[name]?.bytes ?? []) : [];
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const gradients = new Float32Array(bytes.buffer);
    const number = (name: string) => {
      const tensor = results[name];
      return tensor ? new Float32Array(tensor.bytes.slice().buffer)[0] : undefined;
    };
    const done: Saying["done"] = {
      type: "done",
      run: run.run,
      loss: number("hone.loss") ?? null,
      correct: number("hone.correct") ?? null,
      count: number("hone.count") ?? run.rows,
    };
    const send: Saying["send"] = (message) => {
      const isRaw = message instanceof Uint8Array || typeof message === "string";
      // The rank may have ended the line meanwhile.
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(isRaw ? message : JSON.stringify(message));
    };
    const saying: Saying = {
      count: ++this.#count,
      run,
      gradients,
      done,
      send,
      honestly: () => {
        for (const frame of frames(FRAME.gradient, { run: run.run }, bytes)) send(frame);
        send(done);
      },
      hangUp: () => socket.close(1000, ""),
    };
    this.answers++;
    if (!this.#lie(saying)) saying.honestly();
  }
}

async function source(task: Task, name: string): Promise<Uint8Array> {
  const { pathname } = new URL(task.sources[name]?.url ?? "");
  return new Uint8Array(await (await open(pathname, {})).arrayBuffer());
}
