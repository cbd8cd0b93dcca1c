/** @file EmbedLayerNormalization (com.microsoft) with constant tables: QEmbedLayerNormalization. */
import { intAttribute } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import { resolveConstant } from "../../graph/constants.ts";
import type { OpRewrite } from "./op-rewrite.ts";
import { keepFloat } from "./pass.ts";
import type { PreparedWeight } from "./weight-store.ts";

/** word, position and segment embedding (optional), gamma, beta. */
const WEIGHT_INPUTS = [2, 3, 4, 5, 6];
const POSITION_IDS = 8;

export const quantizeEmbedLayerNormalization: OpRewrite = async (pass, weights, graph, node) => {
  const cannot =
    node.outputs.length > 2
      ? "the sum of the embeddings as an output"
      : node.inputs[POSITION_IDS]
        ? "position ids"
        : intAttribute(node, "mask_index_type", 0) !== 0
          ? "mask_index_type"
          : undefined;
  const keep = (reason: string): false => {
    for (const input of WEIGHT_INPUTS) {
      const stored = resolveConstant(graph.scope, node.inputs[input] ?? "")?.storedName;
      if (stored) keepFloat(pass, stored, reason);
    }
    return false;
  };
  if (cannot) return keep(`QEmbedLayerNormalization lacks ${cannot}`);
  const prepared: (PreparedWeight | undefined)[] = [];
  for (const input of WEIGHT_INPUTS) {
    const request = { type: "uint8", reduceRange: false } as const;
    const absent = (node.inputs[input] ?? "") === "";
    const weight = absent ? undefined : await weights.prepare(graph, node, input, request);
    if (!absent && !weight)
      return keep("another weight of its EmbedLayerNormalization stays float");
    prepared.push(weight);
  }
  const values = prepared.map((weight) => weight?.commit());
  const names = (field: "codes" | "scale" | "zeroPoint") =>
    values.map((value) => value?.[field] ?? "");
  const inputs = [
    node.inputs[0] ?? "",
    node.inputs[1] ?? "",
    ...names("codes"),
    node.inputs[7] ?? "",
    ...names("scale"),
    ...names("zeroPoint"),
  ];
  graph.push(
    makeNode("QEmbedLayerNormalization", inputs, node.outputs, {
      name: node.name === "" ? "" : `${node.name}_quant`,
      domain: "com.microsoft",
      attributes: node.attributes.filter(({ name }) => name !== "mask_index_type"),
    }),
  );
  return true;
};
