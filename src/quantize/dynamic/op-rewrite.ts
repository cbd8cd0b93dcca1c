/** @file The signature of an op family's rewrite. */
import type { Node } from "../../onnx/model.ts";
import type { GraphRewrite } from "./graph-rewrite.ts";
import type { DynamicPass } from "./pass.ts";
import type { WeightStore } from "./weight-store.ts";

/** Pushes the nodes that replace a selected node; `false` when it has to stay as it is (nothing was pushed). */
export type OpRewrite = (
  pass: DynamicPass,
  weights: WeightStore,
  graph: GraphRewrite,
  node: Node,
) => boolean | Promise<boolean>;
