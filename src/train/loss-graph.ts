/** @file The loss at the end of a forward graph: on the labels, on a teacher's outputs, or on both. */
import type { Target } from "../autodiff/rule.ts";
import type { Model } from "../onnx/model.ts";
import { ForwardGraph } from "./forward-graph.ts";
import { emitDistillation, emitLoss } from "./losses/loss.ts";
import type { LossContext, LossValue } from "./losses/loss-value.ts";
import type { TrainingSettings } from "./options.ts";
import type { Prepared } from "./prepare.ts";
import { CORRECT, COUNT, LABEL, LOSS, TEACHER } from "./step-plan.ts";
import { mergeTeacher } from "./teacher.ts";

/**
 * Adds the loss, and the teacher where there is one, to the graph's end.
 * @returns how many classes the labels are indices of; `undefined` where they are something else
 * @throws RangeError when the shapes do not fit, or neither a label nor a teacher is there
 */
export async function addLoss(
  forward: ForwardGraph,
  prepared: Prepared,
  settings: TrainingSettings,
  target: Target,
): Promise<number | undefined> {
  const { model } = forward;
  const [merged] = prepared.teacher ? await mergeTeacher(model, prepared.teacher) : [];
  const teacher = merged ?? (prepared.hasTeacherField ? TEACHER : undefined);
  // Anew, for the teacher's values.
  const graph = merged === undefined ? forward : await ForwardGraph.of(model, target);
  const context: LossContext = {
    emitter: graph.emitter,
    producer: (name) => graph.producer(name),
  };
  const value = combined(context, prepared, teacher, settings);
  name(graph, value.loss, LOSS);
  name(graph, value.count, COUNT);
  if (value.correct !== undefined) name(graph, value.correct, CORRECT);
  graph.append();
  outputsOf(model, value);
  return value.classes;
}

/** (1 − α)·loss on the labels + α·distillation; either alone where the other is not there. */
function combined(
  context: LossContext,
  { output, hasLabel }: Prepared,
  teacher: string | undefined,
  settings: TrainingSettings,
): LossValue {
  const { loss, teacher: distillation } = settings;
  const label = hasLabel ? LABEL : undefined;
  if (teacher === undefined || !distillation) return emitLoss(context, output, label, loss);
  const { temperature, alpha } = distillation;
  const soft = emitDistillation(
    context,
    output,
    { teacher, fromLogits: distillation.fromLogits, temperature },
    loss,
  );
  if (label === undefined) return soft;
  const hard = emitLoss(context, output, label, loss);
  const { emitter } = context;
  const sum = emitter.emit("Add", [
    emitter.emit("Mul", [hard.loss, emitter.float(1 - alpha)]),
    emitter.emit("Mul", [soft.loss, emitter.float(alpha)]),
  ]);
  return { ...hard, loss: sum };
}

function name({ emitter }: ForwardGraph, value: string, output: string): void {
  emitter.emit("Identity", [value]);
  const node = emitter.nodes.at(-1);
  if (!node) return;
  emitter.setType(output, emitter.type(value));
  node.outputs = [output];
  node.name = output;
}

function outputsOf(model: Model, { correct }: LossValue): void {
  const names = correct === undefined ? [LOSS, COUNT] : [LOSS, COUNT, CORRECT];
  model.graph.outputs = names.map((output) => ({
    name: output,
    type: { kind: "tensor", elementType: 1, shape: [] },
  }));
}
