/**
 * @file One step of training as an ONNX model: the forward graph as it is in training, the loss, and the
 * gradients of both; beside it the same graph as it is in inference, for evaluation.
 */
import { differentiate } from "../autodiff/differentiate.ts";
import type { Target } from "../autodiff/rule.ts";
import { cloneModel } from "../graph/clone.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Model, Tensor } from "../onnx/model.ts";
import { type Buffer, trainStatistics } from "./batch-normalization.ts";
import { removeDropout, seedDropout } from "./dropout.ts";
import { type ActivationRange, fakeQuantize, lowerFakeQuantize } from "./fake-quantize/emit.ts";
import { findOperands, type OperandUse } from "./fake-quantize/operands.ts";
import { resultModel } from "./finish.ts";
import { ForwardGraph, tensorInfo } from "./forward-graph.ts";
import { entryValues, type Layout, makeLayout } from "./layout.ts";
import { addAdapters, type Adapter, initialA } from "./lora.ts";
import { addLoss } from "./loss-graph.ts";
import type { TrainingSettings } from "./options.ts";
import { matcher } from "./patterns.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { readInto } from "./read-floats.ts";
import {
  CORRECT,
  COUNT,
  LOSS,
  SEED,
  TEACHER,
  type StepPlan,
  type TrainingData,
} from "./step-plan.ts";
import { selectTrainable } from "./trainable.ts";

export type { StepPlan, TrainingData } from "./step-plan.ts";

export interface BuildOptions {
  /** Which ONNX Runtime the step is for. Default `wasm`. */
  target?: Target;
  /** The teacher whose graph becomes a part of the step. */
  teacher?: Model | undefined;
}

/**
 * Builds the models and the layout of a training.
 *
 * Gradient accumulation, clipping and the optimizer are not in the graph: whoever runs the step has the
 * gradients of one batch's mean loss.
 *
 * @throws RangeError when the model is quantized or has no float weights, a pattern matches nothing, the
 *   data does not fit the model, or an op between a parameter and the loss has no gradient
 */
export async function buildStep(
  model: Model,
  settings: TrainingSettings,
  data: TrainingData,
  options: BuildOptions = {},
): Promise<StepPlan> {
  const prepared = await prepare(model, settings, data, options.teacher);
  const { base } = prepared;
  const parameters = await selectTrainable(base, settings);
  const target = options.target ?? "wasm";

  const training = await forwardPass("step", base, settings, target);
  const inputs = [...parameters, ...training.adapters.flatMap(({ a, b }) => [a, b])];
  const classes = await addLoss(training.forward, prepared, settings, target);
  const differentiated = await differentiate(training.forward.model, {
    loss: LOSS,
    parameters: inputs,
    target,
  });
  const layout = layoutOf(differentiated.gradients, training, base, settings);

  const inference = await forwardPass("evaluate", base, settings, target);
  // Against labels alone where there are some: the figure that training is judged by.
  const judged = prepared.hasLabel
    ? { ...prepared, teacher: undefined, hasTeacherField: false }
    : prepared;
  await addLoss(inference.forward, judged, settings, target);

  return {
    step: finishModel(differentiated.model, layout, data, undefined),
    evaluate: finishModel(inference.forward.model, layout, data, judged),
    layout,
    classes,
    initial: () => initialVector(layout, base, training.adapters, settings.seed),
    finish: (vector) =>
      resultModel(
        {
          original: model,
          layout,
          adapters: training.adapters,
          rounding: settings.qat && {
            settings: settings.qat,
            uses: training.uses,
            ranges: training.ranges,
          },
        },
        vector,
      ),
  };
}

interface ForwardPass {
  forward: ForwardGraph;
  adapters: Adapter[];
  statistics: Buffer[];
  uses: OperandUse[];
  ranges: ActivationRange[];
}

/** The model's own graph, rewritten for a phase. */
async function forwardPass(
  phase: "step" | "evaluate",
  base: Model,
  settings: TrainingSettings,
  target: Target,
): Promise<ForwardPass> {
  const forward = await ForwardGraph.of(cloneModel(base), target);
  const isStep = phase === "step";
  if (isStep && settings.dropout) seedDropout(forward);
  else removeDropout(forward);
  const statistics =
    isStep && settings.batchNormalization === "train" ? trainStatistics(forward) : [];
  const adapters = settings.lora ? addAdapters(forward, settings.lora) : [];
  const uses = settings.qat ? findOperands(forward, settings.qat) : [];
  const ranges = settings.qat ? fakeQuantize(forward, uses, { phase, settings: settings.qat }) : [];
  return { forward, adapters, statistics, uses, ranges };
}

function layoutOf(
  gradients: ReadonlyMap<string, string>,
  { adapters, statistics, ranges }: ForwardPass,
  base: Model,
  settings: TrainingSettings,
): Layout {
  const dims = new Map(
    [...base.graph.initializers].map(([name, tensor]) => [name, tensor.dims] as const),
  );
  for (const { a, b, inner, outer, rank } of adapters) {
    dims.set(a, [inner, rank]).set(b, [rank, outer]);
  }
  const withoutDecay = matcher(settings.optimizer.noDecay);
  const parts = [...gradients].map(([name, gradient]) => ({
    name,
    dims: dims.get(name) ?? [],
    gradient,
    decay: !withoutDecay(name),
    masked: settings.keepSparsity && (dims.get(name)?.length ?? 0) >= 2,
  }));
  const buffers = [...statistics, ...ranges.flatMap(({ min, max }) => [min, max])];
  return makeLayout(
    parts,
    buffers.map(({ name, dims: shape, next }) => ({ name, dims: shape, gradient: next })),
  );
}

/**
 * Puts inputs and outputs in a fixed order: vector, fields, seed; loss, counts, gradients, next buffers.
 * @param judged of an evaluation, which has no gradients, and no teacher's field where it has labels
 */
function finishModel(
  model: Model,
  layout: Layout,
  data: TrainingData,
  judged: Prepared | undefined,
): Model {
  lowerFakeQuantize(model);
  const { graph } = model;
  const given = new Map(graph.inputs.map((info) => [info.name, info]));
  const vector = layout.entries.map(({ name, dims }) => tensorInfo(name, DataType.float32, dims));
  for (const { name } of vector) graph.initializers.delete(name);
  const isStep = judged === undefined;
  const fields = Object.keys(data.fields).filter(
    (name) => isStep || judged.hasTeacherField || name !== TEACHER,
  );
  const others = [...fields, ...(given.has(SEED) ? [SEED] : [])];
  graph.inputs = [...vector, ...others.flatMap((name) => given.get(name) ?? [])];
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  graph.outputs = [
    ...[LOSS, CORRECT, COUNT]
      .filter((name) => made.has(name))
      .map((name) => tensorInfo(name, DataType.float32, [])),
    ...(isStep
      ? layout.entries.map(({ gradient, dims }) => tensorInfo(gradient, DataType.float32, dims))
      : []),
  ];
  graph.valueInfos = [];
  return model;
}

async function initialVector(
  layout: Layout,
  base: Model,
  adapters: readonly Adapter[],
  seed: number,
): Promise<Float32Array> {
  const vector = new Float32Array(layout.length);
  const starts = new Map(
    adapters.map((adapter, index) => [adapter.a, () => initialA(adapter, seed, index)] as const),
  );
  for (const entry of layout.entries) {
    const tensor: Tensor | undefined = base.graph.initializers.get(entry.name);
    const values = entryValues(vector, entry);
    if (tensor) await readInto(tensor, values);
    else values.set(starts.get(entry.name)?.() ?? []);
  }
  return vector;
}
