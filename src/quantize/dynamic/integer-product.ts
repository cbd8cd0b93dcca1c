/** @file MatMulInteger and ConvInteger with what turns their int32 sums into the float result. */
import { makeInt } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Attribute } from "../../onnx/model.ts";
import type { GraphRewrite } from "./graph-rewrite.ts";
import type { QuantizedValue } from "./quantized-value.ts";

export interface IntegerProduct {
  opType: "MatMulInteger" | "ConvInteger";
  input: QuantizedValue;
  weight: QuantizedValue;
  /** Prefix of the names of what lies between. */
  result: string;
  /** Name of the float result. */
  output: string;
  /** Name of the float node that is replaced, "" for none. */
  name: string;
  attributes?: Attribute[];
}

/** float(Σ (input − zi)·(weight − zw)) · (si·sw) */
export function pushIntegerProduct(graph: GraphRewrite, product: IntegerProduct): void {
  const { input, weight, result } = product;
  const { names } = graph;
  const name = product.name === "" ? "" : `${product.name}_quant`;
  const sums = names.fresh(`${result}_output_quantized`);
  const floats = names.fresh(`${sums}_cast_output`);
  graph.push(
    makeNode(
      product.opType,
      [input.codes, weight.codes, input.zeroPoint, weight.zeroPoint],
      [sums],
      { name, attributes: product.attributes ?? [] },
    ),
    makeNode("Cast", [sums], [floats], {
      name: `${sums}_cast`,
      attributes: [makeInt("to", DataType.float32)],
    }),
  );
  const scale = graph.scaleProduct(input.scale, weight.scale, name);
  graph.push(
    makeNode("Mul", [floats, scale], [product.output], {
      name: name === "" ? "" : `${name}_output_scale_mul`,
    }),
  );
}
