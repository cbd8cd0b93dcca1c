/** @file A rank made ready: plan, replica, executor, rows and links, at the step that its generation begins from. */
import { Arena } from "../../kernels/arena.ts";
import kernels from "../../kernels/kernels.wasm";
import type { Executor } from "../../train/executor.ts";
import type { Trainer } from "../../train/modes/trainer.ts";
import { remoteExecutor } from "../../train/remote-executor.ts";
import { sessionExecutor } from "../../train/session-executor.ts";
import { runnerPool } from "../runners/pool.ts";
import { LocalCheckpoints } from "./local-checkpoints.ts";
import { RankData } from "./rank-data.ts";
import type { Membership, RankReport, ReportAnswer, Start } from "./rank-protocol.ts";
import { RankRunners } from "./rank-runners.ts";
import { RankRun } from "./rank-run.ts";
import { rankTrainer } from "./rank-trainer.ts";
import { residentSession } from "./resident-session.ts";
import { TimedExecutor } from "./timed-executor.ts";
import type { RpcTransport } from "./rpc-transport.ts";
import { TrainingObjects } from "./training-objects.ts";
import { runnersNeeded, type StoredGraph, type TrainingPlan } from "./training-plan.ts";
import { openTrainingRows } from "./training-rows.ts";

export interface RunOptions {
  membership: Membership;
  start: Start;
  /** Its peers can reach it already. */
  transport: RpcTransport;
  report: (report: RankReport) => Promise<ReportAnswer>;
}

/** Scratch of the SIMD kernels, shared by the ranks of an isolate: nothing stays in it between calls. */
const ARENA_BYTES = 8 << 20;
/** Ranks wait so many times longer for one whose runner starts or is replaced, and tells that it is alive. */
const RUNNERS_PATIENCE = 6;
let sharedArena: Arena | undefined;

/** @throws PeerError, and the storage's errors */
export async function openRun(
  env: Env,
  storage: DurableObjectStorage,
  { membership, start, transport, report }: RunOptions,
): Promise<RankRun> {
  const objects = new TrainingObjects(env.BLOBS, membership.workspace, membership.job);
  const plan = await objects.getJson<TrainingPlan>("plan.json");
  const { workspace, dataset, data, fields, batches } = plan;
  const rows = await openTrainingRows(env, {
    workspace,
    dataset,
    data,
    fields,
    seed: batches.seed,
  });
  const arena = (sharedArena ??= await Arena.create(kernels, ARENA_BYTES));
  const { layout } = plan;
  const edge = await edgeExecutor(plan, objects);
  const runners = plan.onRunners
    ? rankRunners(env, storage, objects, plan, membership, arena)
    : undefined;
  const local = plan.onEdge ? edge : undefined;
  const executor = new TimedExecutor(
    runners ? remoteExecutor({ layout, source: runners, local, arena }) : edge,
  );
  const checkpoints = new LocalCheckpoints(storage);
  const { trainer, bytesSent, close } = rankTrainer({
    plan,
    transport,
    executor,
    arena,
    beginning: await objects.getVector("beginning.f32"),
    deadlineMs: Number(env.RANK_TIMEOUT_MS) * (plan.onRunners ? RUNNERS_PATIENCE : 0.5),
  });
  await restore(trainer, plan, start, checkpoints, objects);
  await transport.open();
  return new RankRun({
    plan,
    membership,
    trainer,
    executor,
    data: new RankData(plan, membership.rank, rows.train, rows.validation),
    checkpoints,
    objects,
    bytesSent,
    report,
    runners,
    aliveMs: Number(env.RANK_TIMEOUT_MS) / 4,
    close: (reason) => {
      runners?.release(reason);
      close(reason);
    },
  });
}

async function edgeExecutor(plan: TrainingPlan, objects: TrainingObjects): Promise<Executor> {
  const step = await residentSession(objects, plan.step);
  const evaluate = await residentSession(objects, plan.evaluate);
  return sessionExecutor({
    layout: plan.layout,
    step: async () => step,
    evaluate: async () => evaluate,
  });
}

function rankRunners(
  env: Env,
  storage: DurableObjectStorage,
  objects: TrainingObjects,
  plan: TrainingPlan,
  { workspace, job, rank, generation }: Membership,
  arena: Arena,
): RankRunners {
  const source = ({ name, bytes, sha256 }: StoredGraph) => ({
    key: objects.key(name),
    bytes,
    sha256,
  });
  return new RankRunners({
    pool: runnerPool(env, workspace),
    storage,
    name: `${job}/${rank}/${generation}`,
    order: {
      ...runnersNeeded(plan, job),
      rank: `${job}/${rank}`,
      sources: { step: source(plan.step), evaluate: source(plan.evaluate) },
    },
    layout: plan.layout,
    codec: plan.runnerCodec,
    arena,
    hasEdge: plan.onEdge,
    timeoutMs: Number(env.RANK_TIMEOUT_MS),
  });
}

async function restore(
  trainer: Trainer,
  plan: TrainingPlan,
  start: Start,
  checkpoints: LocalCheckpoints,
  objects: TrainingObjects,
): Promise<void> {
  if (start.from === "beginning") return checkpoints.dropAfter(0);
  const { step } = start;
  if (start.from === "local") {
    await trainer.import(checkpoints.read(step), { step, worldSize: plan.worldSize });
  } else {
    await trainer.import(objects.readStates(start.keys), { step, worldSize: start.worldSize });
  }
  checkpoints.dropAfter(step);
}
