/** @file Inputs made up for a model, from what it declares and from what it does with them. */
import { subgraphs } from "../graph/attributes.ts";
import { constantTensor } from "../graph/constants.ts";
import { Scope } from "../graph/scope.ts";
import { DataType, dataTypeName, elementCount, isDataType } from "../onnx/data-type.ts";
import type { Graph, Model, ValueInfo } from "../onnx/model.ts";
import { readAll } from "../onnx/tensor-data.ts";
import type { HostTensor } from "../runtime/runtime.ts";
import { convolutionCost } from "./cost.ts";
import { inputFacts } from "./input-facts.ts";
import {
  type DimensionKind,
  type InputShape,
  SIZES_TO_TRY,
  ShapeResolver,
  type Sizes,
} from "./input-shape.ts";
import { inputRole, inputValues, isFloat, isStateName } from "./input-values.ts";

/** Most elements of all inputs together: 16 MB of float32. */
const MAX_INPUT_ELEMENTS = 4_000_000;
/** Multiply-adds of a run above which pictures are smaller and one run is enough: some 25 ms of WebAssembly. */
const MAX_CHEAP_COST = 250e6;
const LARGE = 64;
const SMALL = 32;
/** Most batch sizes that are taken from the model's Reshapes. */
const MAX_BATCHES = 3;

interface SyntheticInput extends InputShape {
  dataType: DataType;
}

/** Makes the inputs of one model; each set of sizes is one way that it might run. */
export class SyntheticInputs {
  readonly #inputs: SyntheticInput[];
  /** Sets of sizes to try in turn, the likeliest first. */
  readonly choices: Sizes[];
  /** A run takes so long that one has to be enough. */
  readonly costly: boolean;

  private constructor(inputs: SyntheticInput[], choices: Sizes[], costly: boolean) {
    this.#inputs = inputs;
    this.choices = choices;
    this.costly = costly;
  }

  /** @throws RangeError for an input that is no tensor, or of a type that has no synthetic values */
  static async of(model: Model): Promise<SyntheticInputs> {
    const scope = Scope.of(model.graph);
    const inputs = fedInputs(model).map((info) => syntheticInput(scope, info));
    const batches = await reshapedBatches(model.graph);
    const cost = (size: number): number => convolutionCost(model.graph, size * size);
    const spatial = cost(LARGE) > MAX_CHEAP_COST ? SMALL : LARGE;
    const costly = cost(spatial) > MAX_CHEAP_COST;
    return new SyntheticInputs(inputs, sizeChoices(inputs, batches, spatial), costly);
  }

  /**
   * Values for every input that must be fed, different from run to run and the same each time.
   * @throws RangeError when they would be too large
   */
  feeds(sizes: Sizes, run: number): Record<string, HostTensor> {
    const shapes = resolveAll(this.#inputs, sizes).shapes;
    const total = shapes.reduce((sum, dims) => sum + elementCount(dims), 0);
    if (total > MAX_INPUT_ELEMENTS) {
      throw new RangeError(`the inputs have ${total} elements, more than ${MAX_INPUT_ELEMENTS}`);
    }
    const length = longest(this.#inputs, shapes);
    return Object.fromEntries(
      this.#inputs.map((input, index) => {
        const dims = shapes[index] ?? [];
        const { name, dataType, facts } = input;
        const role = inputRole(name, dataType, dims.length, facts);
        const values = inputValues({
          role,
          dataType,
          dims,
          facts,
          length,
          seed: run * 7919 + index,
          run,
        });
        return [name, values];
      }),
    );
  }
}

/** The inputs without a default: those of the graph that are not initializers as well. */
export function fedInputs(model: Model): ValueInfo[] {
  return model.graph.inputs.filter(({ name }) => !model.graph.initializers.has(name));
}

function syntheticInput(scope: Scope, { name, type }: ValueInfo): SyntheticInput {
  if (type?.kind !== "tensor") throw new RangeError(`the input "${name}" is not a tensor`);
  const dataType = type.elementType;
  if (!isDataType(dataType) || dataType === DataType.string) {
    throw new RangeError(
      `the input "${name}" holds ${dataTypeName(dataType)}, which is not made up`,
    );
  }
  return {
    name,
    declared: type.shape,
    dataType,
    discrete: !isFloat(dataType) || /mask/i.test(name),
    state: isStateName(name),
    facts: inputFacts(scope, name),
  };
}

function resolveAll(inputs: SyntheticInput[], sizes: Sizes) {
  const resolver = new ShapeResolver(sizes);
  return { shapes: inputs.map((input) => resolver.resolve(input)), used: resolver.used };
}

/** The likeliest sizes, then one kind of dimension varied at a time, of those that are open. */
function sizeChoices(inputs: SyntheticInput[], batches: number[], spatial: number): Sizes[] {
  const first: Sizes = { batch: 1, channels: 3, spatial, sequence: 16, samples: 512, past: 0 };
  const { used } = resolveAll(inputs, first);
  const choices = [first];
  const vary = (kind: DimensionKind, sizes: readonly number[]): void => {
    if (!used.has(kind)) return;
    for (const size of sizes) if (size !== first[kind]) choices.push({ ...first, [kind]: size });
  };
  vary("batch", batches);
  for (const kind of ["samples", "spatial", "sequence", "channels", "past"] as const) {
    vary(kind, SIZES_TO_TRY[kind]);
  }
  return choices;
}

/** Sizes that the model's Reshapes fix for the first axis: exports with a batch size baked in. */
async function reshapedBatches(graph: Graph): Promise<number[]> {
  const found = new Set<number>();
  for (const node of graph.nodes) {
    if (subgraphs(node).length > 0 || node.opType !== "Reshape") continue;
    const name = node.inputs[1] ?? "";
    const holder = graph.nodes.find(
      ({ opType, outputs }) => opType === "Constant" && outputs[0] === name,
    );
    const shape = graph.initializers.get(name) ?? (holder && constantTensor(holder));
    if (
      shape?.dataType !== DataType.int64 ||
      shape.data.byteLength < 8 ||
      shape.data.byteLength > 128
    )
      continue;
    const bytes = await readAll(shape.data);
    const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true));
    if (size > 1 && size <= 64) found.add(size);
  }
  return [...found].slice(0, MAX_BATCHES);
}

/** The longest second or only axis of the inputs: what an input that holds a length should say. */
function longest(inputs: SyntheticInput[], shapes: number[][]): number {
  const lengths = inputs.flatMap(({ state }, index) => {
    const dims = shapes[index] ?? [];
    return state || dims.length < 2 ? [] : [dims[1] ?? 1];
  });
  return Math.max(1, ...lengths);
}
