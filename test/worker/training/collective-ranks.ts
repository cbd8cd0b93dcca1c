/** @file Ranks that do nothing but collectives, as Durable Objects of a worker of their own; and how they are to fail. */
import { DurableObject } from "cloudflare:workers";
import type { Collective } from "../../../src/collectives/collective.ts";
import { createCollective } from "../../../src/collectives/create.ts";
import type { LinkStub } from "../../../src/jobs/training/rpc-link.ts";
import { RpcTransport } from "../../../src/jobs/training/rpc-transport.ts";
import { Arena } from "../../../src/kernels/arena.ts";
import kernelModule from "../../../src/kernels/kernels.wasm";

export interface RankSetup {
  group: string;
  rank: number;
  worldSize: number;
  generation: number;
  length: number;
  algorithm: "direct" | "ring";
  /** Whether ranks read each other's memory, which in local workerd they could always do. */
  lend: boolean;
  chunkBytes: number;
  deadlineMs: number;
  /** The object aborts, or never answers again, once it has taken so many messages. */
  fault?: { after: number; kind: "abort" | "hang" };
}

/** By a timer: what waits for nothing at all the runtime ends itself. */
const HANG_MS = 60_000;

interface Namespace {
  RANKS: DurableObjectNamespace<CollectiveRank>;
}

class FaultyTransport extends RpcTransport {
  readonly setup: RankSetup;
  readonly #abort: () => void;
  #taken = 0;
  #hangs = false;

  constructor(setup: RankSetup, abort: () => void, connect: (peer: number) => Promise<LinkStub>) {
    super({ ...setup, connect });
    this.setup = setup;
    this.#abort = abort;
  }

  override lends(to: number): boolean {
    return this.setup.lend && super.lends(to);
  }

  override onMessage(channel: string, handler: Parameters<RpcTransport["onMessage"]>[1]): void {
    super.onMessage(channel, async (message) => {
      const { fault } = this.setup;
      if (fault && ++this.#taken >= fault.after) {
        if (fault.kind === "abort") this.#abort();
        this.#hangs = true;
        return await scheduler.wait(HANG_MS);
      }
      await handler(message);
    });
  }

  override async send(...message: Parameters<RpcTransport["send"]>): Promise<void> {
    if (this.#hangs) return await scheduler.wait(HANG_MS);
    await super.send(...message);
  }
}

export class CollectiveRank extends DurableObject<Namespace> {
  #setup: RankSetup | undefined;
  #transport: RpcTransport | undefined;
  #collective: Collective | undefined;

  async join(setup: RankSetup): Promise<void> {
    this.#collective?.close("a new generation");
    this.#setup = setup;
    const connect = async (peer: number) =>
      (await this.env.RANKS.getByName(`${setup.group}/${peer}`).link(
        setup.generation,
        setup.rank,
      )) as unknown as LinkStub;
    const abort = () => this.ctx.abort("an injected fault");
    this.#transport = new FaultyTransport(setup, abort, connect);
    this.#collective = createCollective({
      transport: this.#transport,
      arena: await Arena.create(kernelModule, 1 << 20),
      algorithm: setup.algorithm,
      chunkBytes: setup.chunkBytes,
      deadlineMs: setup.deadlineMs,
    });
  }

  async link(generation: number, from: number) {
    if (!this.#transport) throw new Error("this rank has not joined");
    return this.#transport.link(generation, from);
  }

  async attach(): Promise<void> {
    await this.#transport?.open();
  }

  /** One allreduce of the rank's own vector: what came out, or how it failed and when. */
  async allreduce() {
    const setup = this.#setup;
    const collective = this.#collective;
    if (!setup || !collective) throw new Error("this rank has not joined");
    const vector = Float32Array.from({ length: setup.length }, (_, i) => element(setup.rank, i));
    const start = Date.now();
    try {
      await collective.allreduce(vector, { op: "sum" });
      await collective.barrier();
    } catch (error) {
      const { fault, peer, message } = error as { fault?: string; peer?: number; message: string };
      return { failure: { fault, peer, message, afterMs: Date.now() - start } };
    }
    return { hash: hash(vector), wrong: wrong(vector, setup.worldSize), counts: collective.counts };
  }

  /** What a transport of another generation is told. */
  async linkOf(peer: number, generation: number): Promise<string> {
    const { group = "", rank = 0 } = this.#setup ?? {};
    try {
      await this.env.RANKS.getByName(`${group}/${peer}`).link(generation, rank);
      return "linked";
    } catch (error) {
      return String(error);
    }
  }
}

/** Small integers: their sums are exact in any order. */
function element(rank: number, i: number): number {
  return ((i * 7 + rank * 13) % 1000) - 500;
}

function wrong(vector: Float32Array, worldSize: number): number {
  let count = 0;
  for (const [i, v] of vector.entries()) {
    let sum = 0;
    for (let rank = 0; rank < worldSize; rank++) sum += element(rank, i);
    if (v !== sum) count++;
  }
  return count;
}

function hash(vector: Float32Array): number {
  let h = 0;
  for (const word of new Uint32Array(vector.buffer)) h = (Math.imul(h, 31) + word) | 0;
  return h;
}

export default {
  fetch: () => new Response("ranks"),
};
