/**
 * @file One rank of a training job: its replica of the weights, its rows, its part of the collective.
 *
 * It runs on its own, in slices that its alarm begins one after the other, and reports to its job. In its SQLite are
 * the generation it belongs to and its latest checkpoints; all else is gone when the object is, and it says so.
 */
import { DurableObject, type RpcTarget } from "cloudflare:workers";
import { LINK_CLOSE } from "../src/runner/gradient-link.ts";
import type { LinkGrant } from "../src/store/signed-links.ts";
import { LocalCheckpoints } from "../src/jobs/training/local-checkpoints.ts";
import type {
  JoinAnswer,
  Membership,
  RankObject,
  RankReport,
  ReportAnswer,
  ReportTarget,
  Start,
} from "../src/jobs/training/rank-protocol.ts";
import type { RankRun } from "../src/jobs/training/rank-run.ts";
import { forgetRunners } from "../src/jobs/training/rank-runners.ts";
import type { LinkStub } from "../src/jobs/training/rpc-link.ts";
import { RpcTransport } from "../src/jobs/training/rpc-transport.ts";

/** One alarm works no longer than this, far from the limits of CPU and wall time. */
const SLICE_MS = 10_000;
const FIRST_SLICE_MS = 2_000;
/** Should the first slice not have asked for the next one by then, an alarm does. */
const ALARM_MS = 3_000;
/** A job that does not answer is asked again after these times, in milliseconds. */
const REPORT_PAUSES = [50, 500, 2_000, 5_000];

/** Key of what the rank knows of itself. */
const MEMBERSHIP = "membership";

interface Stored extends Membership {
  running: boolean;
}

export class Rank extends DurableObject<Env> implements RankObject {
  #transport: RpcTransport | undefined;
  #run: RankRun | undefined;
  /** The run that a slice is working on now. */
  #working: RankRun | undefined;

  /** Leaves what it was in for a new generation, and says which checkpoints it has. */
  async join(membership: Membership): Promise<JoinAnswer> {
    const stored = this.#membership();
    if (stored && stored.generation > membership.generation) {
      throw new Error(
        `generation ${membership.generation} is over, this rank is in ${stored.generation}`,
      );
    }
    this.#leave(`generation ${membership.generation} has begun`);
    this.#store({ ...membership, running: false });
    this.#transport = this.#newTransport(membership);
    return { steps: new LocalCheckpoints(this.ctx.storage).steps() };
  }

  /** Makes the replica as of the start, and the links to the others. */
  async attach(generation: number, start: Start): Promise<void> {
    const membership = this.#require(generation);
    const transport = this.#transport;
    if (!transport) throw new Error(`rank ${membership.rank} was restarted since it joined`);
    const { openRun } = await import("../src/jobs/training/open-run.ts");
    const run = await openRun(this.env, this.ctx.storage, {
      membership,
      start,
      transport,
      report: (report) => this.#report(report),
    });
    if (this.#transport !== transport) {
      run.stop("another generation has begun");
      throw new Error(`generation ${generation} was over before rank ${membership.rank} attached`);
    }
    this.#run = run;
  }

  /** A peer's way in. */
  async link(generation: number, from: number): Promise<RpcTarget> {
    this.#require(generation);
    if (!this.#transport) throw new Error("the rank was restarted since it joined");
    return this.#transport.link(generation, from);
  }

  /** Has the rank work; it reports from here on. */
  async start(generation: number): Promise<void> {
    const membership = this.#require(generation);
    this.#store({ ...membership, running: true });
    // After a crash in mid-alarm the next one may be seconds away: the first slice does not wait for it.
    await this.ctx.storage.setAlarm(Date.now() + FIRST_SLICE_MS + ALARM_MS);
    this.ctx.waitUntil(this.#slice(membership, FIRST_SLICE_MS));
  }

  async leave(generation: number, reason: string): Promise<void> {
    const membership = this.#membership();
    if (!membership || membership.generation !== generation) return;
    this.#leave(reason);
    this.#store({ ...membership, running: false });
  }

  /** The line of a runner that computes for this rank; the route has checked its grant. */
  override async fetch(request: Request): Promise<Response> {
    const grant = JSON.parse(request.headers.get("Hone-Grant") ?? "null") as LinkGrant;
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.binaryType = "arraybuffer";
    const runners = this.#run?.runners;
    if (runners) runners.accept(grant, server);
    else server.close(LINK_CLOSE.over, "the rank is not training");
    // No compression: deflating float32 takes ten times as long as sending it, and gains a tenth.
    const headers = { "Sec-WebSocket-Extensions": "identity" };
    return new Response(null, { status: 101, webSocket: client, headers });
  }

  /** The pool asks for a runner's lease that others wait for. @returns whether it is given back at the end of a step */
  async giveWay(task: string, lease: number): Promise<boolean> {
    return this.#run?.runners?.giveWay(task, lease) ?? false;
  }

  async dispose(): Promise<void> {
    const membership = this.#membership();
    this.#leave("the job is over");
    if (membership) await forgetRunners(this.env, membership.workspace, this.ctx.storage);
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  override async alarm(): Promise<void> {
    const membership = this.#membership();
    if (!membership?.running) return;
    if (this.#run?.generation === membership.generation) {
      return await this.#slice(membership, SLICE_MS);
    }
    const { goOn } = await this.#report(lost(membership));
    if (!goOn) await this.leave(membership.generation, "the rank lost its memory");
  }

  /** Works for a while, and has the alarm go on from there. */
  async #slice({ generation }: Membership, sliceMs: number): Promise<void> {
    const run = this.#run;
    if (run?.generation !== generation || this.#working === run) return;
    this.#working = run;
    try {
      // A run that was stopped is not waited for: whatever it hangs in, another one may have to begin.
      const more = await Promise.race([run.slice(sliceMs), run.stopped]);
      if (more) await this.ctx.storage.setAlarm(Date.now());
    } finally {
      if (this.#working === run) this.#working = undefined;
    }
  }

  /** Brings a report to the job, which may be starting anew at this moment. */
  async #report(report: RankReport): Promise<ReportAnswer> {
    const membership = this.#membership();
    if (!membership) return { goOn: false };
    for (const pause of REPORT_PAUSES) {
      try {
        return await this.#job(membership).report(report);
      } catch (error) {
        console.warn(
          JSON.stringify({ rank: report.rank, job: membership.job, report: String(error) }),
        );
        await scheduler.wait(pause);
      }
    }
    return await this.#job(membership).report(report);
  }

  #job({ job }: Membership): ReportTarget {
    return this.env.TRAINING_JOBS.getByName(job) as unknown as ReportTarget;
  }

  #newTransport({ job, rank, worldSize, generation }: Membership): RpcTransport {
    const connect = async (peer: number) => {
      const stub = this.env.RANKS.getByName(`${job}/${peer}`) as unknown as {
        link(generation: number, from: number): Promise<LinkStub>;
      };
      return await stub.link(generation, rank);
    };
    return new RpcTransport({ rank, worldSize, generation, connect });
  }

  #leave(reason: string): void {
    this.#run?.stop(reason);
    this.#run = undefined;
    this.#transport?.close(reason);
    this.#transport = undefined;
  }

  #membership(): Stored | undefined {
    return this.ctx.storage.kv.get<Stored>(MEMBERSHIP);
  }

  #store(membership: Stored): void {
    this.ctx.storage.kv.put(MEMBERSHIP, membership);
  }

  #require(generation: number): Stored {
    const membership = this.#membership();
    if (membership?.generation === generation) return membership;
    throw new Error(`generation ${generation} is over, this rank is in ${membership?.generation}`);
  }
}

/** After an eviction or a crash: the replica and the links are gone. */
function lost({ generation, rank }: Membership): RankReport {
  return {
    generation,
    rank,
    step: 0,
    figures: {
      rank,
      step: 0,
      executor: "edge",
      compute_ms: 0,
      allreduce_ms: 0,
      wait_ms: 0,
      staleness: null,
      bytes_sent: 0,
    },
    metrics: [],
    evaluations: [],
    stored: [],
    failure: { kind: "broken", message: "it was restarted and lost its memory" },
  };
}
