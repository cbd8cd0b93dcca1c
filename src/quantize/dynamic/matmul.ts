/** @file MatMul, and Gemm as MatMul and Add, with a constant second factor: MatMulInteger. */
import { intAttribute } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import { resolveConstant } from "../../graph/constants.ts";
import type { Node } from "../../onnx/model.ts";
import type { GraphRewrite } from "./graph-rewrite.ts";
import type { OpRewrite } from "./op-rewrite.ts";
import { becomesMatMul } from "./pass.ts";
import { pushIntegerProduct } from "./integer-product.ts";
import type { WeightRequest } from "./weight-store.ts";

export const quantizeMatMul: OpRewrite = async (pass, weights, graph, node) => {
  const weight = await weights.prepare(graph, node, 1, columnRequest(pass.settings));
  if (!weight || !quantizable(graph, node)) return false;
  pushIntegerProduct(graph, {
    opType: "MatMulInteger",
    input: graph.quantizeActivation(node.inputs[0] ?? ""),
    weight: weight.commit(),
    result: node.outputs[0] ?? "",
    output: node.outputs[0] ?? "",
    name: node.name,
  });
  return true;
};

export const quantizeGemm: OpRewrite = async (pass, weights, graph, node) => {
  if (!becomesMatMul(pass, node)) return false;
  const request = columnRequest(pass.settings);
  request.transposed = intAttribute(node, "transB", 0) !== 0;
  const weight = await weights.prepare(graph, node, 1, request);
  if (!weight || !quantizable(graph, node)) return false;
  const [input = "", , addend = ""] = node.inputs;
  const output = node.outputs[0] ?? "";
  const product = addend === "" ? output : graph.names.fresh(`${output}_MatMul`);
  pushIntegerProduct(graph, {
    opType: "MatMulInteger",
    input: graph.quantizeActivation(input),
    weight: weight.commit(),
    result: product,
    output: product,
    name: node.name === "" ? "" : `${node.name}_MatMul`,
  });
  if (addend === "") return true;
  graph.dequantize(addend);
  const name = node.name === "" ? "" : `${node.name}_Add`;
  graph.push(makeNode("Add", [product, addend], [output], { name }));
  return true;
};

function columnRequest(settings: {
  weightType: WeightRequest["type"];
  perChannel: boolean;
  reduceRange: boolean;
}): WeightRequest {
  return {
    type: settings.weightType,
    reduceRange: settings.reduceRange,
    perColumn: settings.perChannel,
  };
}

/** A first factor that is constant too is for constant folding; MatMulInteger takes uint8 with one scale. */
function quantizable(graph: GraphRewrite, node: Node): boolean {
  const name = node.inputs[0] ?? "";
  const known = graph.find(name);
  if (known) return known.type === "uint8" && known.axis === undefined;
  return resolveConstant(graph.scope, name) === undefined;
}
