/** @file The runners of one rank, one after the other: the lines that the holders of its task open, and when it lets go. */
import { GradientPeer, RunnerFault } from "../../runner/gradient-peer.ts";
import { LINK_CLOSE } from "../../runner/gradient-link.ts";
import type { LineCodec } from "../../runner/vector-encoding.ts";
import type { Arena } from "../../kernels/arena.ts";
import type { LinkGrant } from "../../store/signed-links.ts";
import type { Layout } from "../../train/layout.ts";
import type { RunnerSource } from "../../train/remote-executor.ts";
import { runnerPool } from "../runners/pool.ts";
import { forgetTask, RankTask, type RankTaskParts } from "./rank-task.ts";

/** How often the pool is asked how the task stands, while the rank waits. */
const LOOK_MS = 250;
/** A rank that computes itself asks no more often. */
const PAUSE_MS = 1_000;
const FAILED_PAUSE_MS = 30_000;
/** What a runner has to end by itself, once it was told. */
const RELEASE_MS = 1_000;
/** A runner that others wait for is let go when the rank has had no use for it for so long. */
const IDLE_MS = 100;
/** Of the ranks' timeout: so long it may be used before that. */
const TURN = 1 / 12;
/** Times the ranks' timeout that a rank waits for its turn, while there are runners. */
const QUEUE_PATIENCE = 5;
/** Times the ranks' timeout that a runner may take to load, and for its first run. */
const FIRST_PATIENCE = 4;

export interface RankRunnersParts extends RankTaskParts {
  layout: Layout;
  codec: LineCodec;
  arena: Arena;
  /** The rank may compute itself. */
  hasEdge: boolean;
  /** What limits follow from. */
  timeoutMs: number;
}

interface Current {
  peer: GradientPeer;
  lease: number;
  runner: string;
  since: number;
  isReady: boolean;
}

export class RankRunners implements RunnerSource {
  readonly #parts: RankRunnersParts;
  readonly #task: RankTask;
  #current: Current | undefined;
  #highest = { task: "", lease: 0 };
  #arrival = Promise.withResolvers<void>();
  /** From when a runner is asked for until it has answered. */
  #isNeeded = false;
  /** The lease that others wait for. */
  #wanted: number | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  /** The lease whose line is awaited. */
  #awaited = { lease: 0, since: 0 };
  /** A rank that computes itself does not look before. */
  #askAgainAt = 0;
  #ended: string | undefined;
  #usedLast = "edge";

  constructor(parts: RankRunnersParts) {
    this.#parts = parts;
    this.#task = new RankTask(parts);
  }

  /** Who computed last: a runner's id, or `edge`. */
  get usedLast(): string {
    return this.#usedLast;
  }

  async next(): Promise<GradientPeer | undefined> {
    const { hasEdge, timeoutMs } = this.#parts;
    this.#isNeeded = true;
    clearTimeout(this.#idle);
    const started = Date.now();
    // Whoever computes itself meanwhile goes on until the line is there.
    const isPatient = !hasEdge || this.#askAgainAt === 0;
    // Within the time in which the others wait for this rank.
    const until = started + timeoutMs * (hasEdge ? 1 / 4 : QUEUE_PATIENCE);
    for (;;) {
      if (this.#ended !== undefined) throw new Error(this.#ended);
      const current = this.#current;
      if (current?.peer.error) await this.drop(current.peer, current.peer.error);
      else if (current?.isReady) return this.#use(current);
      if (started < this.#askAgainAt) return this.#useEdge();
      const isLeased = await this.#isLeased();
      if (hasEdge && (!isPatient || !isLeased || Date.now() >= until)) {
        this.#askAgainAt = Math.max(this.#askAgainAt, Date.now() + PAUSE_MS);
        return this.#useEdge();
      }
      await this.#checkPatience(started, until, isLeased);
      await Promise.race([this.#arrival.promise, scheduler.wait(LOOK_MS)]);
    }
  }

  free(): void {
    this.#isNeeded = false;
    this.#consider();
  }

  async drop(peer: GradientPeer, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    peer.close(LINK_CLOSE.over, message);
    const current = this.#current;
    if (current?.peer !== peer) return;
    this.#letGo();
    this.#askAgainAt = 0;
    if (this.#ended !== undefined) return;
    const { runner, lease } = current;
    console.warn(JSON.stringify({ rank: this.#parts.name, runner, dropped: message }));
    await this.#task.takeBack(lease, message, error instanceof RunnerFault);
  }

  /** Others wait for the runner of this lease. False: the lease is for nothing that this rank does. */
  giveWay(task: string, lease: number): boolean {
    if (this.#ended !== undefined || !this.#task.isCalled(task)) return false;
    this.#wanted = lease;
    this.#consider();
    return true;
  }

  /** A runner's line, whose grant was signed here. */
  accept({ task, lease, runner }: LinkGrant, socket: WebSocket): void {
    const refuse = (reason: string) => socket.close(LINK_CLOSE.over, reason);
    if (this.#ended !== undefined) return refuse(this.#ended);
    const isOld = this.#highest.task === task && lease < this.#highest.lease;
    if (!this.#task.isCalled(task) || isOld) return refuse("the lease is over");
    if (this.#current?.lease === lease && !this.#current.peer.error) {
      return refuse("there is a line for this lease");
    }
    this.#current?.peer.close(LINK_CLOSE.over, "another runner has the lease");
    this.#highest = { task, lease };
    const { layout, codec, arena, timeoutMs } = this.#parts;
    const peer = new GradientPeer({
      layout,
      codec,
      arena,
      line: socket as never,
      firstMs: FIRST_PATIENCE * timeoutMs,
      runMs: timeoutMs / 2,
    });
    const current: Current = { peer, lease, runner, since: Date.now(), isReady: false };
    this.#current = current;
    socket.addEventListener("message", ({ data }) => peer.hear(data));
    socket.addEventListener("close", ({ code, reason }) => {
      peer.broke(reason || String(code));
      peer.close(1000, "");
    });
    socket.addEventListener("error", () => peer.broke("error"));
    peer.ready.then(
      () => {
        current.isReady = true;
        this.#arrival.resolve();
        this.#consider();
      },
      () => this.#arrival.resolve(),
    );
  }

  /** The rank is done with runners. */
  release(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    const current = this.#current;
    clearTimeout(this.#idle);
    current?.peer.release();
    this.#arrival.resolve();
    void this.#task.end(current ? RELEASE_MS : 0);
  }

  #use({ peer, lease, runner }: Current): GradientPeer {
    this.#usedLast = runner;
    this.#task.renew(lease);
    return peer;
  }

  #useEdge(): undefined {
    this.#usedLast = "edge";
    this.#isNeeded = false;
  }

  /** Lets go of a runner that others wait for, once its turn is over or it lies idle. */
  #consider(): void {
    const current = this.#current;
    clearTimeout(this.#idle);
    if (!current?.isReady || current.lease !== this.#wanted || this.#isNeeded) return;
    const turnMs = this.#parts.timeoutMs * TURN;
    if (Date.now() - current.since >= turnMs) this.#yield(current);
    else this.#idle = setTimeout(() => this.#yield(current), IDLE_MS);
  }

  #yield(current: Current): void {
    if (this.#current !== current || this.#ended !== undefined) return;
    this.#letGo();
    // The pool first, so that the runner hears from there why its line ends.
    void this.#task.end(0).then(() => current.peer.close(LINK_CLOSE.over, "it is another's turn"));
  }

  #letGo(): void {
    this.#current = undefined;
    this.#wanted = undefined;
    this.#awaited = { lease: 0, since: 0 };
    this.#arrival = Promise.withResolvers();
  }

  /** Whether somebody holds the task. @throws Error when runners failed at it */
  async #isLeased(): Promise<boolean> {
    const standing = await this.#task.standing();
    if (standing.state === "leased") {
      const { lease } = standing;
      if (this.#awaited.lease !== lease) this.#awaited = { lease, since: Date.now() };
      return true;
    }
    if (standing.state === "queued") return false;
    if (!this.#parts.hasEdge) throw new Error(`the runners' task failed: ${standing.why}`);
    this.#askAgainAt = Date.now() + FAILED_PAUSE_MS;
    return false;
  }

  /** @throws Error where waiting any longer is in vain */
  async #checkPatience(started: number, until: number, isLeased: boolean): Promise<void> {
    const { pool, order, timeoutMs } = this.#parts;
    const now = Date.now();
    if (now >= until) throw new Error(`no runner had a turn for it within ${until - started} ms`);
    if (isLeased && !this.#current) {
      const { lease, since } = this.#awaited;
      const limitMs = FIRST_PATIENCE * timeoutMs;
      const reason = `it opened no line within ${limitMs} ms`;
      if (now - since > limitMs) await this.#task.takeBack(lease, reason, false);
    }
    if (isLeased || now - started < timeoutMs || (await pool.canServe(order))) return;
    throw new Error(`no runner came within ${timeoutMs} ms`);
  }
}

/** Takes back the task of a rank that has no memory of it. */
export async function forgetRunners(
  env: Env,
  workspace: string,
  storage: DurableObjectStorage,
): Promise<void> {
  await forgetTask(runnerPool(env, workspace), storage, 0);
}
