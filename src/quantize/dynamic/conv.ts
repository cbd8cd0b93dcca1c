/** @file Conv with constant weights: ConvInteger, one scale for the weights, the bias added in float. */
import { makeInt64, makeNode } from "../../graph/build.ts";
import { resolveConstant } from "../../graph/constants.ts";
import { pushIntegerProduct } from "./integer-product.ts";
import type { OpRewrite } from "./op-rewrite.ts";

export const quantizeConv: OpRewrite = async (pass, weights, graph, node) => {
  const [input = "", kernel = "", bias = ""] = node.inputs;
  const weight = await weights.prepare(graph, node, 1, {
    type: pass.settings.weightType,
    reduceRange: pass.settings.reduceRange,
  });
  if (!weight || (graph.find(input)?.type ?? "uint8") !== "uint8") return false;
  const output = node.outputs[0] ?? "";
  const product = bias === "" ? output : graph.names.fresh(`${output}quant_scaled_output`);
  const rank = resolveConstant(graph.scope, kernel)?.tensor.dims.length ?? 0;
  pushIntegerProduct(graph, {
    opType: "ConvInteger",
    input: graph.quantizeActivation(input),
    weight: weight.commit(),
    result: output,
    output: product,
    name: node.name,
    attributes: node.attributes,
  });
  if (bias === "") return true;
  graph.dequantize(bias);
  const { names } = graph;
  const shape = names.fresh(`${output}_bias_reshape_shape`);
  const reshaped = names.fresh(`${output}_bias_reshape_output`);
  const dims = Array.from({ length: rank }, (_, axis) => (axis === 1 ? -1 : 1));
  graph.scope.graph.initializers.set(shape, makeInt64(shape, dims));
  graph.push(
    makeNode("Reshape", [bias, shape], [reshaped]),
    makeNode("Add", [product, reshaped], [output], { name: `${output}_bias_add` }),
  );
  return true;
};
