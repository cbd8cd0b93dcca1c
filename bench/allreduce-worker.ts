/** @file The worker that `bench/allreduce.ts` runs: ranks as Durable Objects, with the service's own transport. */
import { DurableObject } from "cloudflare:workers";
import { codecNamed } from "../src/collectives/codecs/named.ts";
import type { CodecName } from "../src/collectives/codecs/codec.ts";
import type { Collective } from "../src/collectives/collective.ts";
import { createCollective } from "../src/collectives/create.ts";
import type { LinkStub } from "../src/jobs/training/rpc-link.ts";
import { RpcTransport } from "../src/jobs/training/rpc-transport.ts";
import { Arena } from "../src/kernels/arena.ts";
import kernelModule from "../src/kernels/kernels.wasm";

interface Setup {
  group: string;
  worldSize: number;
  length: number;
  algorithm: "direct" | "ring";
  codec: CodecName;
  /** Whether ranks of one isolate read each other's memory; else every payload crosses by RPC. */
  lend: boolean;
}

interface BenchEnv {
  RANK: DurableObjectNamespace<Rank>;
}

class CopyingTransport extends RpcTransport {
  override lends(): boolean {
    return false;
  }
}

export class Rank extends DurableObject<BenchEnv> {
  #setup: Setup | undefined;
  #transport: RpcTransport | undefined;
  #collective: Collective | undefined;
  #vector = new Float32Array(0);
  #residual: Float32Array<ArrayBuffer> | undefined;

  async join(setup: Setup, rank: number): Promise<void> {
    this.#setup = setup;
    this.#transport = new (setup.lend ? RpcTransport : CopyingTransport)({
      rank,
      worldSize: setup.worldSize,
      generation: 1,
      connect: async (peer) =>
        (await this.env.RANK.getByName(`${setup.group}/${peer}`).link(
          1,
          rank,
        )) as unknown as LinkStub,
    });
    this.#collective = createCollective({
      transport: this.#transport,
      arena: await Arena.create(kernelModule, 1 << 20),
      algorithm: setup.algorithm,
    });
    this.#vector = vectorOf(setup.length, rank);
    if (setup.codec !== "none") this.#residual = new Float32Array(setup.length);
  }

  async link(generation: number, from: number) {
    if (!this.#transport) throw new Error("not joined");
    return this.#transport.link(generation, from);
  }

  async attach(): Promise<void> {
    await this.#transport?.open();
  }

  async allreduce(): Promise<void> {
    const residual = this.#residual;
    await this.#collective?.allreduce(this.#vector, {
      op: "sum",
      codec: codecNamed(this.#setup?.codec ?? "none"),
      ...(residual ? { residual } : {}),
    });
  }

  /** A hash of the vector's bits, and the bytes sent so far; resets the vector. */
  async check(): Promise<{ hash: number; bytesSent: number }> {
    let hash = 0;
    for (const word of new Uint32Array(this.#vector.buffer))
      hash = (Math.imul(hash, 31) + word) | 0;
    this.#vector.set(vectorOf(this.#vector.length, this.#collective?.rank ?? 0));
    return { hash, bytesSent: this.#collective?.counts.bytesSent ?? 0 };
  }

  async end(): Promise<void> {
    this.#collective?.close();
    this.#vector.buffer.transfer(0);
    this.#residual?.buffer.transfer(0);
    this.ctx.abort("done");
  }

  /** All vectors once through one thread, in plain code. */
  async sumOnce(worldSize: number, length: number): Promise<void> {
    const vectors = Array.from({ length: worldSize }, (_, rank) => vectorOf(length, rank));
    this.#vectors = vectors;
    this.#vector = new Float32Array(length);
  }

  #vectors: Float32Array<ArrayBuffer>[] = [];

  async sumOnceRun(): Promise<number> {
    const sum = this.#vector;
    sum.set(this.#vectors[0] ?? sum);
    for (const vector of this.#vectors.slice(1)) addPlain(vector, sum);
    return sum[1] ?? 0;
  }

  async sumOnceEnd(): Promise<void> {
    for (const vector of this.#vectors) vector.buffer.transfer(0);
    this.ctx.abort("done");
  }
}

function addPlain(x: Float32Array, y: Float32Array): void {
  const n = y.length;
  for (let i = 0; i < n; i++) y[i]! += x[i]!;
}

function vectorOf(length: number, rank: number): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(length);
  let state = (rank * 40503 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    vector[i] = (state / 2 ** 32 - 0.5) * 0.02;
  }
  return vector;
}

interface Order {
  op: string;
  setup: Setup;
  rounds: number;
}

export default {
  async fetch(request: Request, env: BenchEnv): Promise<Response> {
    const { op, setup, rounds } = await request.json<Order>();
    const rank = (r: number) => env.RANK.getByName(`${setup.group}/${r}`);
    const all = async <T>(ask: (r: number) => Promise<T>) =>
      await Promise.all(Array.from({ length: setup.worldSize }, (_, r) => ask(r)));
    const times: number[] = [];
    const timed = async (work: () => Promise<unknown>) => {
      const start = performance.now();
      await work();
      times.push(performance.now() - start);
    };
    switch (op) {
      case "form": {
        await all((r) => rank(r).join(setup, r));
        await all((r) => rank(r).attach());
        await all((r) => rank(r).allreduce());
        const checks = await all((r) => rank(r).check());
        const [first] = checks;
        if (checks.some(({ hash }) => hash !== first?.hash)) throw new Error("the ranks differ");
        return Response.json({ bytesSent: checks.map(({ bytesSent }) => bytesSent) });
      }
      case "allreduce":
        for (let i = 0; i < rounds; i++) await timed(() => all((r) => rank(r).allreduce()));
        return Response.json({ times });
      case "sum-once":
        await rank(0).sumOnce(setup.worldSize, setup.length);
        for (let i = 0; i < rounds; i++) await timed(() => rank(0).sumOnceRun());
        await rank(0)
          .sumOnceEnd()
          .catch(() => {});
        return Response.json({ times });
      default:
        await all((r) =>
          rank(r)
            .end()
            .catch(() => {}),
        );
        return Response.json({});
    }
  },
};
