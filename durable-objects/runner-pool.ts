/**
 * @file The runners of one workspace: their WebSockets, which hibernate while nothing is said, and the tasks.
 *
 * Runners say `ping`, which the platform answers without waking this object; the time of the last answer is the
 * proof of life. Only while tasks are leased does an alarm look after them.
 */
import { DurableObject } from "cloudflare:workers";
import { DEFAULT_TIMEOUT_MS, Dispatcher } from "../src/jobs/runners/dispatcher.ts";
import { type LogLine, PoolRecord } from "../src/jobs/runners/pool-record.ts";
import { purgeObject } from "../src/jobs/purge-object.ts";
import { closeLine, type Line, lineOf, RunnerLines } from "../src/jobs/runners/runner-lines.ts";
import { type RunnerView, runnerView } from "../src/jobs/runners/runner-view.ts";
import { signTask } from "../src/jobs/runners/sign-task.ts";
import type { TaskOrder, TaskOutcome, TaskProgress } from "../src/jobs/runners/task-order.ts";
import { resultProblem } from "../src/jobs/runners/task-result.ts";
import { pokeEvents } from "../src/jobs/webhooks/dispatch.ts";
import { addEvent } from "../src/store/events.ts";
import { cursorOf, cut, type Page, type Position } from "../src/store/page.ts";
import {
  CLOSE,
  FromRunner,
  parseMessage,
  PING,
  PING_MS,
  PONG,
  PROTOCOL_VERSIONS,
} from "../src/runner/protocol.ts";

/** A runner without a ping for so long is taken for gone. */
const SILENCE_MS = 3 * PING_MS;
/** A task waits so long for a runner whose line broke. */
const RETURN_MS = 10_000;
const CHECK_MS = 5_000;
/** Finished tasks are kept for those who ask late. */
const KEPT_MS = 60 * 60_000;
/** Runners that left are listed for so long. */
const RUNNERS_KEPT_MS = 24 * 60 * 60_000;
/** A runner of an expired token may come back within this time. */
const GRACE_MS = 10 * 60_000;

export class RunnerPool extends DurableObject<Env> {
  readonly #record = new PoolRecord(this.ctx.storage.sql);
  readonly #lines = new RunnerLines(this.ctx);
  readonly #dispatcher: Dispatcher;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    this.#dispatcher = new Dispatcher(this.#record, {
      hand: (runner, order, lease) => ctx.waitUntil(this.#hand(runner, order, lease)),
      send: (runner, message) => this.#lines.send(runner, message),
      askBack: (order, lease) => ctx.waitUntil(this.#askBack(order, lease)),
      refuse: (runner, reason) =>
        closeLine(this.#lines.socket(runner), CLOSE.protocolError, reason),
    });
    // After hibernation the lines are still there: their runners are as they were.
    for (const socket of this.#lines.all()) {
      const { runner } = lineOf(socket);
      const row = runner === null ? undefined : this.#record.runner(runner);
      if (!row) continue;
      this.#lines.take(row.id, socket);
      this.#dispatcher.resume(row);
    }
  }

  /** The upgrade of a runner whose token the route has checked. */
  override async fetch(request: Request): Promise<Response> {
    return this.#lines.accept(request);
  }

  /** Orders a task; the same id is the same task. */
  async submit(order: TaskOrder): Promise<void> {
    this.#dispatcher.submit(order);
    await this.#watch();
  }

  async wait(id: string, timeoutMs: number): Promise<TaskOutcome | undefined> {
    return await this.#dispatcher.wait(id, timeoutMs);
  }

  async progress(id: string): Promise<TaskProgress | undefined> {
    return this.#dispatcher.progress(id);
  }

  async cancel(id: string): Promise<void> {
    this.#dispatcher.cancel(id);
  }

  async canServe(order: Pick<TaskOrder, "kind" | "needs">): Promise<boolean> {
    return this.#dispatcher.canServe(order);
  }

  async spare(
    order: Pick<TaskOrder, "kind" | "needs" | "group">,
  ): Promise<{ fitting: number; free: number }> {
    return this.#dispatcher.spare(order);
  }

  async renew(id: string, lease: number): Promise<void> {
    this.#dispatcher.renew({ task: id, lease });
  }

  async takeBack(id: string, lease: number, reason: string, isStrike: boolean): Promise<void> {
    this.#dispatcher.takeBack({ task: id, lease }, reason, isStrike);
    await this.#watch();
  }

  async list(after: Position | undefined, limit: number): Promise<Page<RunnerView>> {
    const live = this.#dispatcher.runners;
    const found = this.#record.runners(after, limit + 1);
    const { rows, next } = cut(found, limit, ({ connectedAt, id }) => cursorOf([connectedAt, id]));
    return {
      rows: rows.map((row) => runnerView(row, live.get(row.id), this.#seenAt(row.id))),
      next,
    };
  }

  async log(
    runner: string | undefined,
    before: number | undefined,
    limit: number,
  ): Promise<Page<LogLine>> {
    const found = this.#record.logLines(runner, before, limit + 1);
    return cut(found, limit, ({ id }) => String(id));
  }

  /** False when there is no such runner, or it is not connected. */
  async drain(runner: string): Promise<boolean> {
    if (!this.#lines.has(runner)) return false;
    this.#dispatcher.drain(runner);
    return true;
  }

  /** Ends every line that was opened with the token. */
  async revoke(tokenId: string): Promise<void> {
    for (const socket of this.#lines.all()) {
      if (lineOf(socket).tokenId !== tokenId) continue;
      this.#gone(socket, false);
      closeLine(socket, CLOSE.unauthorized, "the token was revoked");
    }
  }

  /** Ends every line and forgets every task. */
  async purge(): Promise<void> {
    for (const socket of this.#lines.all()) {
      closeLine(socket, CLOSE.unauthorized, "the workspace was deleted");
    }
    await purgeObject(this.ctx);
  }

  /** True when a runner of this token was here of late: it may come back although the token has expired. */
  async knows(tokenId: string): Promise<boolean> {
    const since = Date.now() - GRACE_MS;
    return this.#record.wasSeen(tokenId, since);
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const line = lineOf(socket);
    try {
      if (typeof message !== "string") throw new RangeError("runner: messages are text");
      const said = parseMessage(FromRunner, message);
      if (said.type === "hello") this.#hello(socket, line, said);
      else if (line.runner === null) throw new RangeError("runner: the first message is hello");
      else await this.#hear(line.runner, said);
      await this.#watch();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      if (line.runner !== null) this.#dispatcher.strike(line.runner, undefined, error.message);
      this.#gone(socket, false);
      closeLine(socket, CLOSE.protocolError, error.message);
    }
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    this.#gone(socket, code !== 1000);
    closeLine(socket, 1000, "");
    await this.#watch();
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    this.#gone(socket, true);
    await this.#watch();
  }

  /** Looks after the leases, and rings again while there are any. */
  override async alarm(): Promise<void> {
    const now = Date.now();
    for (const [runner, socket] of this.#lines.entries()) {
      if (now - this.#seenAt(runner) < SILENCE_MS) continue;
      this.#gone(socket, true);
      closeLine(socket, CLOSE.silent, "no ping for too long");
    }
    for (const task of this.#dispatcher.leased) {
      const { runner, leasedAt, order } = task;
      const there = runner !== null && this.#lines.has(runner);
      const timeout = order.timeoutMs ?? DEFAULT_TIMEOUT_MS;
      if (now - leasedAt > timeout) this.#dispatcher.expire(task, `no result within ${timeout} ms`);
      else if (!there && now - this.#seenAt(runner ?? "") > RETURN_MS) {
        this.#dispatcher.expire(task, "the runner did not come back");
      }
    }
    this.#record.deleteTasksFinishedBefore(now - KEPT_MS);
    if (this.#lines.size === 0) this.#record.deleteRunnersSeenBefore(now - RUNNERS_KEPT_MS);
    await this.#watch();
  }

  #hello(
    socket: WebSocket,
    { tokenId }: Line,
    { version, session, info, working }: Extract<FromRunner, { type: "hello" }>,
  ): void {
    if (!PROTOCOL_VERSIONS.includes(version)) {
      const spoken = PROTOCOL_VERSIONS.join(", ");
      const reason = `version ${version} of the protocol is not spoken here; update the runner (${spoken})`;
      return closeLine(socket, CLOSE.refused, reason);
    }
    const joined = this.#dispatcher.join(session, tokenId, info, working);
    const runner = joined.id;
    const before = this.#lines.take(runner, socket);
    if (before) closeLine(before, CLOSE.replaced, "this runner connected again");
    this.#lines.send(runner, { type: "welcome", runner, version });
    if (working && !joined.holds) {
      this.#lines.send(runner, { type: "stop", ...working, reason: "the lease is over" });
    }
  }

  async #hear(runner: string, said: Exclude<FromRunner, { type: "hello" }>): Promise<void> {
    switch (said.type) {
      case "ready":
        return this.#dispatcher.ready(runner);
      case "leaving":
        return this.#dispatcher.drain(runner);
      case "progress":
        return this.#dispatcher.report(runner, said, said);
      case "hand_back":
        return this.#dispatcher.handBack(runner, said);
      case "failed":
        return this.#dispatcher.failed(runner, said, said.message, said.final);
      default: {
        const order = this.#dispatcher.held(runner, said);
        if (!order) return;
        const problem = await resultProblem(this.env, order, said.lease, said.result);
        if (problem) this.#dispatcher.strike(runner, said, problem);
        else this.#dispatcher.done(runner, said, said.result);
      }
    }
  }

  async #hand(runner: string, order: TaskOrder, lease: number): Promise<void> {
    const socket = this.#lines.socket(runner);
    if (!socket) return;
    const { origin } = lineOf(socket);
    const task = await signTask(this.env, order, { runner, lease, origin });
    this.#lines.send(runner, { type: "task", task });
  }

  /** A task that its rank does not know of, or whose rank is not there, is nobody's. */
  async #askBack({ id, rank }: TaskOrder, lease: number): Promise<void> {
    if (rank === undefined) return;
    const stub = this.env.RANKS.getByName(rank);
    const gives = await stub.giveWay(id, lease).catch(() => false);
    if (!gives) this.#dispatcher.cancel(id);
  }

  #gone(socket: WebSocket, mayReturn: boolean): void {
    const runner = this.#lines.lose(socket);
    if (runner === undefined) return;
    this.#dispatcher.leave(runner, mayReturn);
    if (mayReturn) this.ctx.waitUntil(this.#tellLost(runner));
  }

  async #tellLost(runner: string): Promise<void> {
    const { name: workspace } = this.ctx.id;
    if (workspace === undefined) return;
    const info = this.#record.runner(runner)?.info;
    await addEvent(this.env.DB, workspace, "runner.lost", { id: runner, object: "runner", info });
    await pokeEvents(this.env, { workspace });
  }

  #seenAt(runner: string): number {
    return this.#lines.heardAt(runner) ?? this.#record.runner(runner)?.seenAt ?? 0;
  }

  async #watch(): Promise<void> {
    if (this.#dispatcher.leased.length === 0) return;
    this.#dispatcher.askBack();
    if ((await this.ctx.storage.getAlarm()) === null) {
      await this.ctx.storage.setAlarm(Date.now() + CHECK_MS);
    }
  }
}
