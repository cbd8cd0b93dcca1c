/**
 * @file Forming a group of ranks: all join a new generation, the highest step that all can go on from is chosen, all
 * attach at it, all start. Whatever goes wrong in between is an error; the next generation tries again.
 */
import type { JoinAnswer, Membership, RankObject, Start } from "./rank-protocol.ts";
import type { TrainingOrder } from "./training-order.ts";
import type { StoredCheckpoint } from "./training-record.ts";

export class Group {
  readonly #env: Env;
  readonly #order: TrainingOrder;
  readonly #worldSize: number;
  /** A rank that has not answered by then is taken for dead. */
  readonly #timeoutMs: number;

  constructor(env: Env, order: TrainingOrder) {
    this.#env = env;
    this.#order = order;
    this.#worldSize = order.mode.world_size;
    this.#timeoutMs = Number(env.RANK_TIMEOUT_MS);
  }

  /** A fresh stub: one that has seen its object die stays broken. */
  #rank(rank: number): RankObject {
    return this.#env.RANKS.getByName(`${this.#order.id}/${rank}`) as unknown as RankObject;
  }

  async #all<T>(doing: string, ask: (rank: RankObject, index: number) => Promise<T>): Promise<T[]> {
    return await Promise.all(
      Array.from({ length: this.#worldSize }, async (_, index) => {
        const answer = ask(this.#rank(index), index);
        return await within(answer, this.#timeoutMs, `rank ${index} did not ${doing}`);
      }),
    );
  }

  /** All leave what they were in and say what they have. */
  async join(generation: number): Promise<JoinAnswer[]> {
    return await this.#all("join", (rank, index) => rank.join(this.#member(generation, index)));
  }

  async attach(generation: number, start: Start): Promise<void> {
    await this.#all("attach", (rank) => rank.attach(generation, start));
  }

  async start(generation: number): Promise<void> {
    await this.#all("start", (rank) => rank.start(generation));
  }

  /** Tells all to stop, as far as they can be reached. */
  async leave(generation: number, reason: string): Promise<void> {
    await this.#all("leave", (rank) => rank.leave(generation, reason).catch(() => undefined));
  }

  async dispose(): Promise<void> {
    await this.#all("end", (rank) => rank.dispose());
  }

  #member(generation: number, rank: number): Membership {
    const { id: job, workspace } = this.#order;
    return { workspace, job, rank, worldSize: this.#worldSize, generation };
  }
}

/** Where the group goes on from: the latest state that every rank can have. */
export function commonStart(
  answers: readonly JoinAnswer[],
  stored: readonly StoredCheckpoint[],
): Start {
  const [first, ...others] = answers;
  const common = (first?.steps ?? []).filter((step) =>
    others.every(({ steps }) => steps.includes(step)),
  );
  const local = Math.max(0, ...common);
  const latest = stored.at(-1);
  if (latest && latest.step > local) {
    return { from: "stored", step: latest.step, worldSize: latest.keys.length, keys: latest.keys };
  }
  return local > 0 ? { from: "local", step: local } : { from: "beginning" };
}

/** @throws Error saying `late` when the answer takes longer */
async function within<T>(answer: Promise<T>, timeoutMs: number, late: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${late} within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
