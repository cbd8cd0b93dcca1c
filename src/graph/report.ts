/** @file What a pass says about each weight: changed how, or kept why. */

export interface WeightChange {
  /** The tensor's name in the input model. */
  name: string;
  /** A node that uses it, as `opType "name"`. */
  node: string;
  /** Names as in the API: `int8 per channel (axis 0)`, `4-bit blocks of 32`, `float16`, `50 % zeros`, … */
  method: string;
  dims: number[];
  /** Element type before and after (`float32`, `int8`, …). */
  from: string;
  to: string;
  bytesBefore: number;
  /** Scales and zero points included. */
  bytesAfter: number;
  /**
   * 10·log10(Σx² / Σ(x − x̂)²) of the weight, in dB; `null` until its bytes have been written
   * (weights are lazy) and where the change is exact (no error).
   */
  sqnrDb: number | null;
}

export interface WeightKept {
  name: string;
  reason: string;
}

/** An activation that has codes, and how its range became them. */
export interface ActivationChange {
  name: string;
  type: "int8" | "uint8";
  /** Its range, as calibration found it and as it was adjusted. */
  low: number;
  high: number;
  scale: number;
  zeroPoint: number;
  /** The value whose scale and zero point it has, because it only moves that one's elements. */
  sharedWith: string | null;
}

/** What simplification did to the graph; nodes of subgraphs count, those of functions do not. */
export interface Simplification {
  nodesBefore: number;
  nodesAfter: number;
  /** By name, those that are gone too. */
  opTypes: { opType: string; before: number; after: number }[];
  /** Those that ran, and how many changes each made in all rounds. */
  passes: { name: string; changes: number }[];
  rounds: number;
}

export interface PassReport {
  changed: WeightChange[];
  kept: WeightKept[];
  /** Activations with codes, of static quantization. */
  activations: ActivationChange[];
  /** Facts about the whole model: opset lifted, domains added, a method that does not apply. */
  notes: string[];
  simplification?: Simplification;
}

export function emptyReport(): PassReport {
  return { changed: [], kept: [], activations: [], notes: [] };
}

/** Joins the reports of passes that ran one after the other. */
export function joinReports(...reports: PassReport[]): PassReport {
  const { simplification } = reports.findLast((report) => report.simplification) ?? {};
  return {
    changed: reports.flatMap((report) => report.changed),
    kept: reports.flatMap((report) => report.kept),
    activations: reports.flatMap((report) => report.activations),
    notes: reports.flatMap((report) => report.notes),
    ...(simplification ? { simplification } : {}),
  };
}

/** SQNR in dB from sums of squares; `null` where there is no error or no signal. */
export function sqnrDb(signal: number, error: number): number | null {
  if (!(error > 0) || !(signal > 0)) return null;
  return 10 * Math.log10(signal / error);
}
