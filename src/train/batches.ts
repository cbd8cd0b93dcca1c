/**
 * @file Which rows a rank reads in which step: a pure function of the plan, the epoch, the step and the rank.
 */

export interface BatchPlan {
  /** Rows of the training split. */
  rows: number;
  worldSize: number;
  /** Rows of one rank's batch. */
  batchSize: number;
  /** Batches of a rank that make one step. */
  accumulation: number;
  /** Neighbouring rows that are read together. */
  blockRows: number;
  /** Blocks whose rows are shuffled together: so many, and those of the next batch, a rank holds. */
  windowBlocks: number;
  /** 32 bits. */
  seed: number;
  /** true: only full batches on all ranks; false: every row exactly once an epoch, so the last batches may be smaller or empty. */
  dropLast: boolean;
  /** false: rows in their order. */
  shuffle: boolean;
}
