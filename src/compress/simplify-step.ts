/** @file What simplification needs of the pipeline: sizes that hold for the original too, and a word on what was gained. */
import { cloneModel } from "../graph/clone.ts";
import { fixInputShapes } from "../simplify/input-shapes.ts";
import type { SimplifyOptions } from "../simplify/options.ts";
import type { Candidate } from "./candidate.ts";
import type { OpenedModel } from "./compress.ts";

/** The model that a result with fixed input sizes is compared with: the original with the same ones. */
export function withInputShapes(
  opened: OpenedModel,
  { input_shapes }: SimplifyOptions,
): OpenedModel {
  if (!input_shapes) return opened;
  const model = cloneModel(opened.model);
  fixInputShapes(model, input_shapes);
  return { ...opened, model, inMemory: undefined };
}

/** Nothing to do is a success, and the model is handed out: the report says what it is no smaller in. */
export function noteGain({ report, byteLength }: Candidate, bytesBefore: number): void {
  const { nodesBefore = 0, nodesAfter = 0 } = report.simplification ?? {};
  if (nodesAfter >= nodesBefore) report.notes.push(`no node is gone: ${nodesAfter} as before`);
  if (byteLength >= bytesBefore) {
    report.notes.push(`no byte is saved: ${byteLength}, the model was ${bytesBefore}`);
  }
}
