/** @file Time that passes when everybody waits: a queue of events, the earliest first. */
import type { Clock } from "../transport.ts";

interface Event {
  readonly at: number;
  readonly run: () => void;
}

export class VirtualTime implements Clock {
  readonly #idle: () => Promise<void>;
  /** A binary heap. */
  readonly #events: Event[] = [];
  #now = 0;

  /** @param idle resolves when all promises that could go on have gone on: a turn of the event loop */
  constructor(idle: () => Promise<void>) {
    this.#idle = idle;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    let wanted = true;
    this.at(this.#now + ms, () => {
      if (wanted) callback();
    });
    return () => {
      wanted = false;
    };
  }

  at(time: number, run: () => void): void {
    const events = this.#events;
    let i = events.length;
    events.push({ at: time, run });
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (events[parent]!.at <= events[i]!.at) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  /**
   * Lets time pass until `work` is done; resolves with the time it took.
   * @throws Error when there is nothing left that could happen
   */
  async passUntil(work: Promise<unknown>): Promise<number> {
    const start = this.#now;
    let over = false;
    const end = () => {
      over = true;
    };
    work.then(end, end);
    for (;;) {
      await this.#idle();
      if (over) break;
      const next = this.#events[0];
      if (!next) throw new Error("simulator: all wait, and nothing is under way");
      this.#now = next.at;
      // all of one instant at once: symmetric ranks do the same at the same time
      while (this.#events[0]?.at === next.at) this.#pop().run();
    }
    await work;
    return this.#now - start;
  }

  #pop(): Event {
    const events = this.#events;
    const first = events[0]!;
    const last = events.pop()!;
    if (events.length > 0) {
      events[0] = last;
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= events.length) break;
        if (child + 1 < events.length && events[child + 1]!.at < events[child]!.at) child++;
        if (events[i]!.at <= events[child]!.at) break;
        this.#swap(i, child);
        i = child;
      }
    }
    return first;
  }

  #swap(i: number, j: number): void {
    const event = this.#events[i]!;
    this.#events[i] = this.#events[j]!;
    this.#events[j] = event;
  }
}
