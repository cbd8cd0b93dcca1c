/**
 * @file Low-rank adapters (Hu et al. 2021) on MatMul and Gemm: x·W + s·(x·A)·B with s = alpha / rank, of
 * which only A and B are trained. A starts uniform in ±1/√K, B at zero, so the first step changes nothing.
 */
import { floatAttribute, intAttribute } from "../graph/attributes.ts";
import { Scope } from "../graph/scope.ts";
import { findWeights, nodeLabel, type WeightUse } from "../graph/weights.ts";
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

/** A product by a stored matrix. */
interface Product {
  weight: Tensor;
  /** The product is by the transpose of what is stored. */
  transposed: boolean;
  /** Something else reads the weight too (tied embeddings), and would change when it is merged. */
  isTied: boolean;
}

/**
 * Adds adapters to the graph and declares their inputs.
 * @throws RangeError when a pattern matches no MatMul or Gemm with a weight, or there is none at all
 */
export function addAdapters(forward: ForwardGraph, settings: LoraSettings): Adapter[] {
  const chosen = chooseProducts(findProducts(forward), settings);
  const adapters = new Map<string, Adapter>();
  forward.rewrite((node) => {
    const product = chosen.get(node);
    if (!product) return true;
    let adapter = adapters.get(product.weight.name);
    if (!adapter) {
      adapter = makeAdapter(forward, product, settings);
      adapters.set(product.weight.name, adapter);
    }
    addProduct(forward, node, adapter);
    return false;
  });
  return [...adapters.values()];
}

/** MatMul and Gemm by a stored float32 matrix from the right, also behind Transpose. */
function findProducts({ model }: ForwardGraph): Map<Node, Product> {
  const products = new Map<Node, Product>();
  for (const { tensor, holder, uses, isOutput } of findWeights(Scope.of(model.graph))) {
    if (holder || tensor.dims.length !== 2) continue;
    const own = uses.filter(isProduct);
    const isTied = isOutput || own.length < uses.length;
    const kinds = own.map(
      ({ node, permutation }) =>
        (intAttribute(node, "transB", 0) !== 0) !== (permutation !== undefined),
    );
    // One adapter serves products that all read the weight the same way round.
    const isMixed = new Set(kinds).size > 1;
    own.forEach(({ node }, i) =>
      products.set(node, {
        weight: tensor,
        transposed: kinds[i] === true,
        isTied: isTied || isMixed,
      }),
    );
  }
  return products;
}

function isProduct({ node, input }: WeightUse): boolean {
  if (node.domain !== "" || input !== 1) return false;
  if (node.opType === "MatMul") return true;
  return node.opType === "Gemm" && intAttribute(node, "transA", 0) === 0;
}

function chooseProducts(
  products: ReadonlyMap<Node, Product>,
  { target }: LoraSettings,
): Map<Node, Product> {
  const namesOf = (node: Node, { weight }: Product): string[] => [node.name, weight.name];
  const known = [...products].flatMap(([node, product]) => namesOf(node, product));
  const wanted = new Set(
    selectNames(
      "MatMul or Gemm with a stored weight",
      target ?? ["*"],
      known.filter((name) => name !== ""),
    ),
  );
  const chosen = [...products].filter(([node, product]) =>
    namesOf(node, product).some((name) => wanted.has(name)),
  );
  const tied = chosen.find(([, { isTied }]) => isTied);
  if (tied && target) {
    throw new RangeError(
      `train: lora: the weight of ${nodeLabel(tied[0])} is read by other nodes too, which a merged adapter would change`,
    );
  }
  return new Map(chosen.filter(([, { isTied }]) => !isTied));
}

function makeAdapter(
  { model, emitter }: ForwardGraph,
  { weight, transposed }: Product,
  { rank, alpha }: LoraSettings,
): Adapter {
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
