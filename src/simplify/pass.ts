/** @file What a pass of simplification is given, and what it answers. */
import type { WeightChange } from "../graph/report.ts";
import type { Model, Node } from "../onnx/model.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ValueTypes } from "./value-types.ts";

export interface Subject {
  /** The pass changes it. */
  model: Model;
  /** What was known when the round began; of names that are newer, nothing. */
  types: ValueTypes;
  /** Computes constants; without one, only what shapes tell is folded. */
  runtime: Runtime | undefined;
  /** Bytes by which a folded constant may outgrow what it replaces. */
  foldConstantsLimit: number;
  /** Nodes whose results were computed and are too large, or cannot be computed. */
  unfoldable: Set<Node>;
  /** Weights with other values than before. */
  changed: WeightChange[];
  notes: Set<string>;
}

/** Simplifies the model in place. @returns how many changes it made */
export type Pass = (subject: Subject) => number | Promise<number>;
