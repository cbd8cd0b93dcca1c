/** @file A network that delays, reorders, duplicates and loses messages, alike for the same seed. */
import type { Carry } from "./memory-transport.ts";
import { generator } from "./random.ts";

export interface BadNetworkOptions {
  readonly seed: number;
  /** Part of the messages that come twice (default 0). */
  readonly duplicated?: number;
  /** Part of the deliveries of which the message or the answer is lost, so that it is sent again (default 0). */
  readonly lost?: number;
  /** Lets the event loop go round once. */
  readonly turn: () => Promise<void>;
}

/** Messages gather in a pool, from which each turn of the event loop delivers one at random. */
export function badNetwork({ seed, duplicated = 0, lost = 0, turn }: BadNetworkOptions): Carry {
  const random = generator(seed);
  const pool: (() => void)[] = [];
  let running = false;
  const run = async () => {
    running = true;
    while (pool.length > 0) {
      await turn();
      const at = Math.floor(random() * pool.length);
      pool.splice(at, 1)[0]?.();
    }
    running = false;
  };
  const put = (delivery: () => void) => {
    pool.push(delivery);
    if (!running) void run();
  };
  return (deliver) =>
    new Promise((resolve, reject) => {
      const attempt = () => {
        if (random() >= lost) return void deliver().then(resolve, reject);
        if (random() < 0.5) deliver().catch(() => {});
        put(attempt);
      };
      put(attempt);
      if (random() < duplicated) put(() => void deliver().catch(() => {}));
    });
}
