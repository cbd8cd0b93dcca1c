/** @file What a training job and its ranks say to each other. Reports may be repeated; a call of an old generation changes nothing. */
import type { RankFigures } from "./training-view.ts";

/** Which rank of which generation an object is to be. */
export interface Membership {
  workspace: string;
  job: string;
  rank: number;
  worldSize: number;
  /** Grows with every formation; the highest one counts. */
  generation: number;
}

/** Where a rank's state comes from. */
export type Start =
  /** The model's own weights, no step done. */
  | { from: "beginning" }
  /** The rank's own checkpoint. */
  | { from: "local"; step: number }
  /** A checkpoint in R2: all ranks' parts. */
  | { from: "stored"; step: number; worldSize: number; keys: string[] };

export interface JoinAnswer {
  /** Steps of which this rank holds a checkpoint, of this job. */
  steps: number[];
}

/** What steps `first` … `step` were like: in `sync` of all ranks, and rank 0 alone tells it; else of one rank. */
export interface MetricsRow {
  first: number;
  step: number;
  /** Sums over the rows, so that they can be added up. */
  lossSum: number;
  rows: number;
  /** Among `count`; `null` where the loss is no classification. */
  correct: number | null;
  /** Rows, or positions in them. */
  count: number;
  learningRate: number;
}

export interface EvaluationRow {
  step: number;
  epoch: number;
  lossSum: number;
  correct: number | null;
  count: number;
}

export type RankFailure =
  /** The group broke: another generation may do better. */
  | { kind: "broken"; message: string }
  /** It would be so again: the job fails. */
  | { kind: "fatal"; message: string }
  | { kind: "non_finite"; message: string };

export interface RankReport {
  generation: number;
  rank: number;
  /** Finished steps. */
  step: number;
  figures: RankFigures;
  /** Since the report before that was answered. */
  metrics: MetricsRow[];
  evaluations: EvaluationRow[];
  /** Parts of checkpoints that are in R2. */
  stored: { step: number; key: string; bytes: number }[];
  /** The last step is done and its checkpoint is in R2. */
  done?: boolean;
  failure?: RankFailure;
}

/** `false`: this generation is over, stop. */
export type ReportAnswer = { goOn: boolean };

/** A rank, as its job sees it. */
export interface RankObject {
  join(membership: Membership): Promise<JoinAnswer>;
  attach(generation: number, start: Start): Promise<void>;
  start(generation: number): Promise<void>;
  leave(generation: number, reason: string): Promise<void>;
  /** Forgets everything, storage too. */
  dispose(): Promise<void>;
}

/** A training job, as its ranks see it. */
export interface ReportTarget {
  report(report: RankReport): Promise<ReportAnswer>;
}
