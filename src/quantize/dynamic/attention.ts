/** @file Attention (com.microsoft) with constant weights: QAttention. */
import { findAttribute } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import { resolveConstant } from "../../graph/constants.ts";
import type { OpRewrite } from "./op-rewrite.ts";
import { keepFloat } from "./pass.ts";

/** Inputs and attributes of Attention that QAttention does not have. */
const ATTENTION_BIAS = 5;
const PAST_SEQUENCE_LENGTH = 6;
const MISSING_ATTRIBUTES = ["qkv_hidden_sizes", "rotary_embedding_dim"];

export const quantizeAttention: OpRewrite = async (pass, weights, graph, node) => {
  const [input = "", kernel = "", bias = "", mask = "", past = ""] = node.inputs;
  const missing = MISSING_ATTRIBUTES.find((name) => findAttribute(node, name));
  const extra = node.inputs[ATTENTION_BIAS] || node.inputs[PAST_SEQUENCE_LENGTH];
  if (missing || extra || bias === "") {
    const stored = resolveConstant(graph.scope, kernel)?.storedName;
    const lacks = missing ?? (extra ? `an input for "${extra}"` : "a form without bias");
    if (stored) keepFloat(pass, stored, `QAttention lacks ${lacks}`);
    return false;
  }
  const weight = await weights.prepare(graph, node, 1, {
    type: pass.settings.weightType,
    reduceRange: pass.settings.reduceRange,
    perColumn: pass.settings.perChannel,
  });
  if (!weight) return false;
  graph.dequantize(bias);
  if (past !== "") graph.dequantize(past);
  const x = graph.quantizeActivation(input);
  const w = weight.commit();
  const inputs = [x.codes, w.codes, bias, x.scale, w.scale, mask, x.zeroPoint, w.zeroPoint, past];
  graph.push(
    makeNode("QAttention", inputs, node.outputs, {
      name: node.name === "" ? "" : `${node.name}_quant`,
      domain: "com.microsoft",
      attributes: node.attributes,
    }),
  );
  return true;
};
