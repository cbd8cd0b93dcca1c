/** @file What the parts of a training job's object share: ledger, record, plan, objects, and who is told what is done. */
import type { JobLedger } from "../job-ledger.ts";
import { isOver } from "../job-view.ts";
import { TrainingObjects } from "./training-objects.ts";
import type { TrainingOrder } from "./training-order.ts";
import type { TrainingPlan } from "./training-plan.ts";
import { TrainingRecord } from "./training-record.ts";
import type { TrainingView } from "./training-view.ts";

export class TrainingDesk {
  readonly env: Env;
  readonly storage: DurableObjectStorage;
  readonly ledger: JobLedger<TrainingOrder, TrainingView>;
  readonly record: TrainingRecord;
  #plan: TrainingPlan | undefined;

  constructor(
    env: Env,
    storage: DurableObjectStorage,
    ledger: JobLedger<TrainingOrder, TrainingView>,
  ) {
    this.env = env;
    this.storage = storage;
    this.ledger = ledger;
    this.record = new TrainingRecord(storage);
  }

  get isOver(): boolean {
    return isOver(this.ledger.current().view.state);
  }

  /** What was worked out, read from R2 once in the object's life. */
  async plan(order: TrainingOrder): Promise<TrainingPlan> {
    return (this.#plan ??= await this.objects(order).getJson<TrainingPlan>("plan.json"));
  }

  objects(order: TrainingOrder): TrainingObjects {
    return new TrainingObjects(this.env.BLOBS, order.workspace, order.id);
  }

  /** Has the alarm ring after so long. */
  async ring(afterMs = 0): Promise<void> {
    await this.storage.setAlarm(Date.now() + afterMs);
  }

  doing(doing: string): void {
    const { view } = this.ledger.current();
    this.ledger.progress({ ...view.progress, doing });
  }
}
