/** @file Ranks that speak over a link model in virtual time. */
import { generator } from "../random.ts";
import { type Message, type MessageHandler, type PeerError, type Transport } from "../transport.ts";
import { type Link, regionOf } from "../link.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface SimulatedNetworkOptions {
  readonly worldSize: number;
  readonly link: Link;
  readonly time: VirtualTime;
  /** A payload's byte stands for so many (default 1), so that large vectors can be simulated by small ones. */
  readonly bytesPerByte?: number;
  /** Rank `rank`'s messages cost, and take, so many times as much (default 1). */
  readonly slowdown?: (rank: number) => number;
  /** Part of the messages that are lost and sent again after `resendMs`. */
  readonly loss?: { readonly part: number; readonly resendMs: number; readonly seed: number };
}

/** What is busy until when. */
class Port {
  #freeAt = 0;

  /** The time at which `ms` of work are done that can begin at `from`. */
  use(from: number, ms: number): number {
    this.#freeAt = Math.max(this.#freeAt, from) + ms;
    return this.#freeAt;
  }

  /** Like `use`, for bytes that flow in while they flow out elsewhere, until `at` at the earliest. */
  fill(at: number, ms: number): number {
    this.#freeAt = Math.max(this.#freeAt + ms, at);
    return this.#freeAt;
  }
}

export class SimulatedNetwork {
  readonly transports: readonly SimulatedTransport[];
  readonly #options: SimulatedNetworkOptions;
  readonly #out: Port[];
  readonly #in: Port[];
  readonly #regionOut: Port[];
  readonly #regionIn: Port[];
  readonly #random: () => number;

  constructor(options: SimulatedNetworkOptions) {
    const { worldSize, link, loss } = options;
    this.#options = options;
    const ports = (count: number) => Array.from({ length: count }, () => new Port());
    this.#out = ports(worldSize);
    this.#in = ports(worldSize);
    this.#regionOut = ports(link.regions);
    this.#regionIn = ports(link.regions);
    this.#random = generator(loss?.seed ?? 0);
    this.transports = Array.from(
      { length: worldSize },
      (_, rank) => new SimulatedTransport(rank, worldSize, this),
    );
  }

  /** Resolves, in virtual time, when the answer is back. */
  carry(message: Message, to: number): Promise<void> {
    const { time, worldSize, link } = this.#options;
    const { from } = message;
    const arrived = { ...message, payload: message.payload.slice() };
    const away = regionOf(from, worldSize, link) !== regionOf(to, worldSize, link);
    const latency = away ? link.regionLatencyMs : link.latencyMs;
    return new Promise((resolve, reject) => {
      const answer = (end: () => void) => time.at(time.now() + latency, end);
      this.#travel(from, to, message.payload.byteLength, () => {
        this.transports[to]!.receive(arrived).then(
          () => answer(resolve),
          (error: unknown) => answer(() => reject(error as Error)),
        );
      });
    });
  }

  /** Calls back when the message has been taken: each port on its way is used by one message after the other. */
  #travel(from: number, to: number, payloadBytes: number, arrive: () => void): void {
    const { time, worldSize, link, bytesPerByte = 1, slowdown = () => 1, loss } = this.#options;
    const bytes = payloadBytes * bytesPerByte;
    const [home, there] = [regionOf(from, worldSize, link), regionOf(to, worldSize, link)];
    const cost = (rank: number) => (link.messageMs + bytes / link.bytesPerMs) * slowdown(rank);
    let sent = this.#out[from]!.use(time.now(), cost(from));
    while (loss && this.#random() < loss.part) {
      sent = this.#out[from]!.use(sent + loss.resendMs, cost(from));
    }
    // a port is booked when a message gets there, not when it sets out
    const enter = () => {
      const end = this.#in[to]!.fill(time.now(), cost(to)) + link.messageMs * slowdown(to);
      time.at(end, arrive);
    };
    if (home === there) return time.at(sent + link.latencyMs, enter);
    const regionMs = bytes / link.regionBytesPerMs;
    time.at(sent, () => {
      const left = this.#regionOut[home]!.fill(time.now(), regionMs);
      time.at(left + link.regionLatencyMs, () => {
        time.at(this.#regionIn[there]!.fill(time.now(), regionMs), enter);
      });
    });
  }
}

class SimulatedTransport implements Transport {
  readonly rank: number;
  readonly worldSize: number;
  readonly generation = 1;
  readonly #network: SimulatedNetwork;
  readonly #handlers = new Map<string, MessageHandler>();

  constructor(rank: number, worldSize: number, network: SimulatedNetwork) {
    this.rank = rank;
    this.worldSize = worldSize;
    this.#network = network;
  }

  send(to: number, message: Message): Promise<void> {
    return this.#network.carry(message, to);
  }

  lends(): boolean {
    return false;
  }

  withdraw(): void {}

  onMessage(channel: string, handler: MessageHandler): void {
    this.#handlers.set(channel, handler);
  }

  /** Nobody is lost here. */
  onFailure(_handler: (error: PeerError) => void): void {}

  close(): void {}

  async receive(message: Message): Promise<void> {
    await this.#handlers.get(message.channel)?.(message);
  }
}
