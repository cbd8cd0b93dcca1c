/**
 * @file The runners of one rank, one after the other: a task in the pool for as long as the rank trains, and the lines that
 * its holders open.
 */
import { GradientPeer, RunnerFault } from "../../runner/gradient-peer.ts";
import { LINK_CLOSE } from "../../runner/gradient-link.ts";
import type { LinkGrant } from "../../store/signed-links.ts";
import type { Layout } from "../../train/layout.ts";
import type { RunnerSource } from "../../train/remote-executor.ts";
import { runnerPool, type RunnerPoolObject } from "../runners/pool.ts";
import type { TaskOrder } from "../runners/task-order.ts";

/** Key, in the rank's storage, of the task that it has in the pool. */
const TASK = "runner-task";
/** How often the pool is asked how the task stands, while the rank waits. */
const LOOK_MS = 250;
/** A rank that computes itself asks no more often. */
const PAUSE_MS = 1_000;
const FAILED_PAUSE_MS = 30_000;
/** A lease lasts so long without a word of the rank. */
const LEASE_MS = 10 * 60_000;
/** What a runner has to end by itself, once it was told. */
const RELEASE_MS = 1_000;

export interface RankRunnersParts {
  pool: RunnerPoolObject;
  storage: DurableObjectStorage;
  /** Of the tasks: their ids begin with it. */
  name: string;
  order: Pick<TaskOrder, "kind" | "group" | "needs" | "sources" | "rank">;
  layout: Layout;
  /** The rank may compute itself. */
  hasEdge: boolean;
  /** What limits follow from. */
  timeoutMs: number;
}

interface Current {
  peer: GradientPeer;
  lease: number;
  runner: string;
  isReady: boolean;
}

export class RankRunners implements RunnerSource {
  readonly #parts: RankRunnersParts;
  #task: string | undefined;
  #tasks = 0;
  #current: Current | undefined;
  #highestLease = 0;
  #arrival = Promise.withResolvers<void>();
  /** A rank that computes itself does not look before. */
  #askAgainAt = 0;
  #renewedAt = 0;
  #ended: string | undefined;
  #usedLast = "edge";

  constructor(parts: RankRunnersParts) {
    this.#parts = parts;
  }

  /** Who computed last: a runner's id, or `edge`. */
  get usedLast(): string {
    return this.#usedLast;
  }

  async next(): Promise<GradientPeer | undefined> {
    const { hasEdge, timeoutMs } = this.#parts;
    const started = Date.now();
    // Whoever computes itself meanwhile goes on until the line is there.
    const isPatient = !hasEdge || this.#askAgainAt === 0;
    // Within the time in which the others wait for this rank.
    const until = started + (hasEdge ? timeoutMs / 4 : timeoutMs);
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
      if (Date.now() >= until) throw new Error(`no runner came within ${timeoutMs} ms`);
      await Promise.race([this.#arrival.promise, scheduler.wait(LOOK_MS)]);
    }
  }

  async drop(peer: GradientPeer, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    peer.close(LINK_CLOSE.over, message);
    const current = this.#current;
    if (current?.peer !== peer) return;
    this.#current = undefined;
    this.#askAgainAt = 0;
    this.#arrival = Promise.withResolvers();
    if (this.#task === undefined || this.#ended !== undefined) return;
    const { pool, name } = this.#parts;
    const { runner, lease } = current;
    console.warn(JSON.stringify({ rank: name, runner, dropped: message }));
    await pool.takeBack(this.#task, lease, message, error instanceof RunnerFault);
  }

  /** A runner's line, whose grant was signed here. */
  accept({ task, lease, runner }: LinkGrant, socket: WebSocket): void {
    const refuse = (reason: string) => socket.close(LINK_CLOSE.over, reason);
    if (this.#ended !== undefined) return refuse(this.#ended);
    if (task !== this.#task || lease < this.#highestLease) return refuse("the lease is over");
    if (this.#current?.lease === lease && !this.#current.peer.error) {
      return refuse("there is a line for this lease");
    }
    this.#current?.peer.close(LINK_CLOSE.over, "another runner has the lease");
    this.#highestLease = lease;
    const { layout, timeoutMs } = this.#parts;
    const peer = new GradientPeer({
      layout,
      line: socket as never,
      firstMs: 4 * timeoutMs,
      runMs: timeoutMs / 2,
    });
    const current: Current = { peer, lease, runner, isReady: false };
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
      },
      () => this.#arrival.resolve(),
    );
  }

  /** The rank is done with runners. */
  release(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    const current = this.#current;
    current?.peer.release();
    this.#arrival.resolve();
    const { pool, storage } = this.#parts;
    void forget(pool, storage, current ? RELEASE_MS : 0);
  }

  #use({ peer, lease, runner }: Current): GradientPeer {
    this.#usedLast = runner;
    const now = Date.now();
    if (this.#task !== undefined && now - this.#renewedAt > LEASE_MS / 8) {
      this.#renewedAt = now;
      this.#parts.pool.renew(this.#task, lease).catch(() => undefined);
    }
    return peer;
  }

  #useEdge(): undefined {
    this.#usedLast = "edge";
  }

  /** Whether somebody holds the task, which is ordered if it is not there. @throws Error when runners failed at it */
  async #isLeased(): Promise<boolean> {
    const { pool, storage, name, order, hasEdge } = this.#parts;
    if (this.#task === undefined) {
      // Of a generation before, or of a rank that died.
      await forget(pool, storage, 0);
      const task = `${name}.${this.#tasks++}`;
      storage.kv.put(TASK, task);
      this.#task = task;
      this.#highestLease = 0;
      await pool.submit({
        ...order,
        id: task,
        spec: {},
        targets: {},
        timeoutMs: LEASE_MS,
      });
    }
    const progress = await pool.progress(this.#task);
    if (progress?.state === "queued" || progress?.state === "leased") {
      return progress.state === "leased";
    }
    const outcome = await pool.wait(this.#task, 0);
    this.#task = undefined;
    const why = outcome?.state === "failed" ? outcome.message : (outcome?.state ?? "it is gone");
    if (hasEdge) {
      this.#askAgainAt = Date.now() + FAILED_PAUSE_MS;
      return false;
    }
    throw new Error(`the runners' task ended: ${why}`);
  }
}

/** Takes back what a rank has in the pool, if anything; a runner that was told to end has a moment for that. */
async function forget(
  pool: RunnerPoolObject,
  storage: DurableObjectStorage,
  afterMs: number,
): Promise<void> {
  const task = storage.kv.get<string>(TASK);
  if (task === undefined) return;
  storage.kv.delete(TASK);
  if (afterMs > 0) await scheduler.wait(afterMs);
  await pool.cancel(task).catch(() => undefined);
}

/** Takes back the task of a rank that has no memory of it. */
export async function forgetRunners(
  env: Env,
  workspace: string,
  storage: DurableObjectStorage,
): Promise<void> {
  await forget(runnerPool(env, workspace), storage, 0);
}
