/** @file What the parts of one weight-only pass share. */
import type { PassReport } from "../../graph/report.ts";
import type { Names } from "../../graph/scope.ts";
import type { Arena } from "../../kernels/arena.ts";
import { encodeNode, encodeTensor } from "../../onnx/encode-graph.ts";
import type { Model, Node, Tensor } from "../../onnx/model.ts";
import type { Weight } from "../../graph/weights.ts";
import type { FiniteCheck } from "../finite.ts";
import type { KeptParameters } from "./block-data.ts";
import type { GraphEdits } from "./graph-edits.ts";
import type { WeightOnlySettings } from "./options.ts";

export interface Pass {
  model: Model;
  /** Version of ai.onnx that the model imports. */
  opset: number;
  settings: WeightOnlySettings;
  names: Names;
  edits: GraphEdits;
  arena: Arena;
  check: FiniteCheck;
  kept: KeptParameters;
  report: PassReport;
}

/** What takes a weight's place. */
export interface Replacement {
  tensors: readonly Tensor[];
  nodes: readonly Node[];
  /** Nodes that go, beside the holder of the weight. */
  removed?: readonly Node[];
}

const inline = (): undefined => undefined;

/** Bytes of the model file that a replacement saves; negative when it would grow. */
export function bytesSaved(weight: Weight, { tensors, nodes, removed = [] }: Replacement): number {
  let saved = weight.holder
    ? encodeNode(weight.holder, inline).byteLength
    : encodeTensor(weight.tensor, inline).byteLength;
  for (const node of removed) saved += encodeNode(node, inline).byteLength;
  for (const tensor of tensors) saved -= encodeTensor(tensor, inline).byteLength;
  for (const node of nodes) saved -= encodeNode(node, inline).byteLength;
  return saved;
}
