/**
 * @file Low-rank adapters (Hu et al. 2021) on MatMul and Gemm: x·W + s·(x·A)·B with s = alpha / rank, of
 * which only A and B are trained. A starts uniform in ±1/√K, B at zero, so the first step changes nothing.
 */
import { readBy } from "../autodiff/paths.ts";
import { floatAttribute, intAttribute } from "../graph/attributes.ts";
import { nodeLabel } from "../graph/weights.ts";
import { DataType } from "../onnx/data-type.ts";
import type { Node, Tensor } from "../onnx/model.ts";
import type { ForwardGraph } from "./forward-graph.ts";
import { tensorInfo } from "./forward-graph.ts";
import type { LoraSettings } from "./options.ts";
import { selectNames } from "./patterns.ts";
import { philox, type Words2 } from "./philox.ts";

export interface Adapter {
  /** The adapted weight. */
  weight: string;
  /** The inputs A [K, rank] and B [rank, N]. */
  a: string;
  b: string;
  inner: number;
  outer: number;
  rank: number;
  /** The weight is stored as [N, K]. */
  transposed: boolean;
  /** alpha / rank. */
  scale: number;
}

/**
 * Adds adapters to the graph and declares their inputs.
 * @throws RangeError when a pattern matches no MatMul or Gemm with a weight, or there is none at all
 */
export function addAdapters(forward: ForwardGraph, settings: LoraSettings): Adapter[] {
  const products = forward.model.graph.nodes.filter(
    (node) => weightOf(forward, node) !== undefined,
  );
  const chosen = chooseProducts(forward, products, settings);
  const adapters = new Map<string, Adapter>();
  forward.rewrite((node) => {
    const weight = chosen.has(node) ? weightOf(forward, node) : undefined;
    if (!weight) return true;
    let adapter = adapters.get(weight.name);
    if (!adapter) {
      adapter = makeAdapter(forward, node, weight, settings);
      adapters.set(weight.name, adapter);
    }
    addProduct(forward, node, adapter);
    return false;
  });
  return [...adapters.values()];
}

function chooseProducts(
  forward: ForwardGraph,
  products: readonly Node[],
  { target }: LoraSettings,
): Set<Node> {
  const names = (node: Node): string[] => [node.name, weightOf(forward, node)?.name ?? ""];
  const wanted = new Set(
    selectNames(
      "MatMul or Gemm with a stored weight",
      target ?? ["*"],
      [...new Set(products.flatMap(names))].filter((name) => name !== ""),
    ),
  );
  // A weight that is read in other ways too (tied embeddings) would change there when it is merged.
  const others = new Set(
    forward.model.graph.nodes.filter((node) => !products.includes(node)).flatMap(readBy),
  );
  const chosen = products.filter((node) => names(node).some((name) => wanted.has(name)));
  const tied = chosen.find((node) => others.has(weightOf(forward, node)?.name ?? ""));
  if (tied && target) {
    throw new RangeError(
      `train: lora: the weight of ${nodeLabel(tied)} is read by other nodes too, which a merged adapter would change`,
    );
  }
  return new Set(chosen.filter((node) => !others.has(weightOf(forward, node)?.name ?? "")));
}

/** The stored float32 matrix that a product multiplies by from the right. */
function weightOf({ model }: ForwardGraph, node: Node): Tensor | undefined {
  if (node.domain !== "" || (node.opType !== "MatMul" && node.opType !== "Gemm")) return undefined;
  if (intAttribute(node, "transA", 0) !== 0) return undefined;
  const tensor = model.graph.initializers.get(node.inputs[1] ?? "");
  return tensor?.dims.length === 2 && tensor.dataType === DataType.float32 ? tensor : undefined;
}

function makeAdapter(
  { model, emitter }: ForwardGraph,
  node: Node,
  weight: Tensor,
  { rank, alpha }: LoraSettings,
): Adapter {
  const transposed = node.opType === "Gemm" && intAttribute(node, "transB", 0) !== 0;
  const [rows = 1, columns = 1] = weight.dims;
  const [inner, outer] = transposed ? [columns, rows] : [rows, columns];
  const a = emitter.names.fresh(`${weight.name}.lora_A`);
  const b = emitter.names.fresh(`${weight.name}.lora_B`);
  const declare = (name: string, shape: number[]): void => {
    model.graph.inputs.push(tensorInfo(name, DataType.float32, shape));
    emitter.setType(name, { elementType: DataType.float32, shape });
  };
  declare(a, [inner, rank]);
  declare(b, [rank, outer]);
  return { weight: weight.name, a, b, inner, outer, rank, transposed, scale: alpha / rank };
}

function addProduct(forward: ForwardGraph, node: Node, adapter: Adapter): void {
  const { emitter } = forward;
  const [x = ""] = node.inputs;
  const [y = ""] = node.outputs;
  const attributes = [...node.attributes];
  const base = emitter.emit(node.opType, node.inputs, attributes);
  const scale = adapter.scale * (node.opType === "Gemm" ? floatAttribute(node, "alpha", 1) : 1);
  const down = emitter.emit("MatMul", [x, adapter.a]);
  const scaled = emitter.emit("Mul", [down, emitter.float(scale)]);
  const up = emitter.emit("MatMul", [scaled, adapter.b]);
  emitter.emit("Add", [base, up]);
  forward.nameLast(y);
}

/** The start of A, row-major: the same for the same seed and adapter number. */
export function initialA({ inner, rank }: Adapter, seed: number, index: number): Float32Array {
  const bound = 1 / Math.sqrt(inner);
  const values = new Float32Array(inner * rank);
  const key: Words2 = [seed, 0x10ad];
  for (let i = 0; i < values.length; i += 4) {
    philox([i / 4, index, 0, 0], key).forEach((word, lane) => {
      if (i + lane < values.length) values[i + lane] = bound * (word / 2 ** 31 - 1);
    });
  }
  return values;
}

/** W + s·A·B in the weight's own order, in float32 with float64 sums. */
export function merged(
  weight: Float32Array,
  { inner, outer, rank, transposed, scale }: Adapter,
  a: Float32Array,
  b: Float32Array,
): Float32Array {
  const result = weight.slice();
  for (let k = 0; k < inner; k++) {
    for (let n = 0; n < outer; n++) {
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += (a[k * rank + r] ?? 0) * (b[r * outer + n] ?? 0);
      const at = transposed ? n * inner + k : k * outer + n;
      result[at] = (result[at] ?? 0) + scale * sum;
    }
  }
  return result;
}
