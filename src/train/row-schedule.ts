/**
 * @file Which epoch a step lies in, also where a training goes on from another's checkpoint with other ranks or batches:
 * the rows that were not read in the epoch under way are dealt anew, so that every row still comes once an epoch.
 */
import { type BatchPlan, stepsPerEpoch, type WorldChange } from "./batches.ts";

export interface RowSchedule {
  /** Of whole epochs. */
  batches: BatchPlan;
  /** From which step on that plan holds; absent: from step 0. */
  start?: ScheduleStart | undefined;
}

export interface ScheduleStart {
  step: number;
  /** The epoch under way, from 0. */
  epoch: number;
  /** What was read of it; absent: nothing. */
  before?: readonly WorldChange[] | undefined;
}

/** A step within its epoch, under that epoch's plan. */
export interface RowPlace {
  plan: BatchPlan;
  epoch: number;
  step: number;
}

/** The plan of the epoch at `start`, and its steps. */
function firstEpoch({ batches, start }: RowSchedule): { plan: BatchPlan; steps: number } {
  const plan = start?.before ? { ...batches, before: start.before } : batches;
  return { plan, steps: stepsPerEpoch(plan) };
}

/**
 * @param step counted from the training's start, not before `start`
 * @throws RangeError where the rows fill no batch
 */
export function rowPlace(schedule: RowSchedule, step: number): RowPlace {
  const { step: begin = 0, epoch = 0 } = schedule.start ?? {};
  const { plan, steps } = firstEpoch(schedule);
  if (step - begin < steps) return { plan, epoch, step: step - begin };
  const { batches } = schedule;
  const perEpoch = stepsPerEpoch(batches);
  if (perEpoch === 0) {
    const { rows, batchSize, worldSize } = batches;
    throw new RangeError(
      `train: ${rows} rows fill no batch of ${batchSize} on each of ${worldSize} ranks`,
    );
  }
  const left = step - begin - steps;
  return { plan: batches, epoch: epoch + 1 + Math.floor(left / perEpoch), step: left % perEpoch };
}

/** How many steps are finished when so many epochs are; at least those before `start`. */
export function stepsOfEpochs(schedule: RowSchedule, epochs: number): number {
  const { step = 0, epoch = 0 } = schedule.start ?? {};
  if (epochs <= epoch) return step;
  return step + firstEpoch(schedule).steps + (epochs - epoch - 1) * stepsPerEpoch(schedule.batches);
}

/**
 * The schedule of a training that goes on, from the checkpoint of a step, with other batches.
 * @param sameRows the rows to train on are the same ones; else a new epoch of the new ones begins
 */
export function continued(
  old: RowSchedule,
  step: number,
  batches: BatchPlan,
  sameRows: boolean,
): RowSchedule {
  const { plan, epoch, step: done } = rowPlace(old, step);
  const dealsAlike = (["rows", "seed", "shuffle", "blockRows", "windowBlocks"] as const).every(
    (key) => old.batches[key] === batches[key],
  );
  if (!sameRows || !dealsAlike) {
    const isUntouched = done === 0 && !plan.before;
    return { batches, start: { step, epoch: isUntouched ? epoch : epoch + 1 } };
  }
  const isUnchanged = (["worldSize", "batchSize", "accumulation"] as const).every(
    (key) => old.batches[key] === batches[key],
  );
  if (isUnchanged) return { ...old, batches };
  const read = { worldSize: plan.worldSize, rows: done * plan.accumulation * plan.batchSize };
  const before = [...(plan.before ?? []), ...(done > 0 ? [read] : [])];
  return { batches, start: { step, epoch, ...(before.length > 0 && { before }) } };
}
