/**
 * @file The generations of a job's group of ranks: formed, watched, ended where a rank breaks or falls silent, and formed
 * anew from the latest step that all ranks can go on from.
 */
import { ApiError } from "../../problem/api-error.ts";
import { runnerPool } from "../runners/pool.ts";
import { commonStart, Group } from "./group.ts";
import type { ReportedProgress } from "./reported-progress.ts";
import type { TrainingDesk } from "./training-desk.ts";
import type { TrainingOrder } from "./training-order.ts";
import { runnersNeeded } from "./training-plan.ts";
import type { StoredCheckpoint } from "./training-record.ts";

/** Generations that may follow each other without the training coming any further. */
export const MAX_RESTARTS = 8;
/** How often a job that waits for runners looks for them. */
const RUNNERS_MS = 500;
/** The pause before a generation that could not be formed: four times the one before, up to a quarter of the ranks' timeout. */
const FIRST_PAUSE_MS = 50;

export class Generations {
  readonly #desk: TrainingDesk;
  readonly #progress: ReportedProgress;
  /** When each rank was last heard of, in this life of the object. */
  readonly #heard = new Map<number, number>();
  readonly #bornAt = Date.now();
  /** When it began to wait for runners. */
  #waitsSince: number | undefined;

  constructor(desk: TrainingDesk, progress: ReportedProgress) {
    this.#desk = desk;
    this.#progress = progress;
  }

  heard(rank: number): void {
    this.#heard.set(rank, Date.now());
  }

  /** Forms the group where there is none, or one of whose ranks nothing is heard. */
  async watch(order: TrainingOrder): Promise<void> {
    const timeoutMs = Number(this.#desk.env.RANK_TIMEOUT_MS);
    if (this.#desk.record.state.formed) {
      const silent = this.#silentRank(order.mode.world_size, timeoutMs);
      if (silent === undefined) {
        await this.#desk.ring(timeoutMs / 4);
        return;
      }
      this.broke(`rank ${silent} was silent for ${timeoutMs} ms`);
    }
    if (await this.#awaitsRunners(order)) {
      await this.#desk.ring(RUNNERS_MS);
    } else await this.#form(order, timeoutMs);
  }

  /**
   * Ranks that do not compute themselves begin when there is a runner for each. Where it takes too long they share those
   * that there are, in turns; in `async` and `local_sgd`, where they seldom wait for each other, at once.
   */
  async #awaitsRunners(order: TrainingOrder): Promise<boolean> {
    const plan = await this.#desk.plan(order);
    if (!plan.onRunners || plan.onEdge) return false;
    const pool = runnerPool(this.#desk.env, order.workspace);
    const { fitting, free } = await pool.spare(runnersNeeded(plan, order.id));
    this.#waitsSince ??= Date.now();
    const shares =
      plan.mode.mode !== "sync" ||
      Date.now() - this.#waitsSince >= Number(this.#desk.env.RANK_TIMEOUT_MS);
    if (free >= plan.worldSize || (fitting > 0 && shares)) {
      this.#waitsSince = undefined;
      return false;
    }
    this.#desk.doing(
      `waiting for runners, one for each rank: ${free} of ${plan.worldSize} are there`,
    );
    return true;
  }

  #silentRank(worldSize: number, timeoutMs: number): number | undefined {
    const latest = Date.now() - timeoutMs;
    for (let rank = 0; rank < worldSize; rank++) {
      if ((this.#heard.get(rank) ?? this.#bornAt) < latest) return rank;
    }
    return undefined;
  }

  async #form(order: TrainingOrder, timeoutMs: number): Promise<void> {
    const { restarts, reason } = this.#desk.record.state;
    if (restarts >= MAX_RESTARTS) {
      const last = reason ? `; the last time: ${reason}` : "";
      throw new ApiError(
        "gave_up",
        `the ranks were brought together ${restarts} times without getting further${last}`,
      );
    }
    const generation = this.#desk.record.state.generation + 1;
    this.#desk.record.change({
      generation,
      restarts: restarts + 1,
      formed: false,
      bytesBefore: this.#progress.bytes(),
    });
    await this.#desk.storage.sync();
    this.#progress.beginAnew();
    await this.#desk.ledger.change({ attempts: generation });
    this.#desk.doing("bringing the ranks together");
    const group = new Group(this.#desk.env, order);
    try {
      const answers = await group.join(generation);
      const start = commonStart(answers, this.#stored(order));
      const step = start.from === "beginning" ? 0 : start.step;
      const before = this.#desk.record.state;
      if (step > before.reached) this.#desk.record.change({ reached: step, restarts: 1 });
      const dropped = this.#desk.record.forgetAfter(step);
      const { metrics } = this.#desk.ledger.current().view;
      this.#desk.ledger.keep({ metrics: metrics.filter((epoch) => epoch.step <= step) });
      if (dropped.length > 0) await this.#desk.objects(order).delete(dropped);
      await group.attach(generation, start);
      if (this.#desk.isOver) return;
      // From here on a rank may tell that it broke.
      this.#heard.clear();
      for (let rank = 0; rank < order.mode.world_size; rank++) this.#heard.set(rank, Date.now());
      this.#desk.record.change({ formed: true });
      await group.start(generation);
    } catch (error) {
      this.broke(error instanceof Error ? error.message : String(error));
    }
    if (this.#desk.isOver) return;
    await this.#desk.ring(this.#desk.record.state.formed ? timeoutMs / 4 : this.pauseMs());
  }

  /** Checkpoints in R2 to go on from, oldest first: the other job's, then this one's. */
  #stored(order: TrainingOrder): StoredCheckpoint[] {
    const own = this.#desk.record.checkpoints(order.mode.world_size);
    const { origin } = order;
    if (!origin?.whole) return own;
    const objects = this.#desk.objects(order);
    const keys = origin.keys.map((_, rank) => objects.originKey(rank));
    return [{ step: origin.step, bytes: 0, createdAt: 0, keys }, ...own];
  }

  /** Before the next attempt to form the group. */
  pauseMs(): number {
    const most = Number(this.#desk.env.RANK_TIMEOUT_MS) / 4;
    return Math.min(FIRST_PAUSE_MS * 4 ** this.#desk.record.state.restarts, most);
  }

  /** The generation is over; the next alarm forms another. */
  broke(reason: string): void {
    const { generation } = this.#desk.record.state;
    const { id } = this.#desk.ledger.current().view;
    console.warn(JSON.stringify({ job: id, generation, broke: reason }));
    this.#desk.record.change({ formed: false, reason });
  }
}
