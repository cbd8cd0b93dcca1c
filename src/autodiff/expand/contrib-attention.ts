/** @file com.microsoft's Attention and MultiHeadAttention by their parts. Packed and rotary forms are refused. */
import { floatAttribute, intAttribute, intsAttribute, makeInt } from "../../graph/attributes.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import { add, where } from "../arithmetic.ts";
import type { Emitter, Expansion, ExpansionTable, MaybeValue } from "../rule.ts";
import {
  attention,
  type AttentionForm,
  byHeads,
  type Heads,
  joinedHeads,
  pastLength,
} from "./attention.ts";
import { split } from "./recurrent.ts";

/** Input [N, time, in] times the weights [in, query | key | value] in one. */
const packedAttention: Expansion = (c, node) => {
  const [input = "", weights = "", bias, mask, past, attentionBias] = node.inputs;
  if (past || node.outputs[1]) throw c.refusal("its past and present have no gradient rule");
  if (intAttribute(node, "do_rotary", 0) !== 0) throw c.refusal("do_rotary has no gradient rule");
  const width = c.sizes(weights, 1)[1] ?? 0;
  const third = width / 3;
  const sizes = intsAttribute(node, "qkv_hidden_sizes") ?? [third, third, third];
  const product = c.emit("MatMul", [input, weights]);
  const projected = bias ? add(c, product, bias) : product;
  const heads = headCount(c, node);
  const [query = "", key = "", value = ""] = split(c, projected, sizes, 2).map((part) =>
    byHeads(c, part, heads),
  );
  const form = formOf(c, node, { query, key, value }, mask, attentionBias, 0);
  return [joinedHeads(c, attention(c, { query, key, value }, form))];
};

const multiHeadAttention: Expansion = (c, node) => {
  const [query = "", key, value, bias, mask, attentionBias, pastKey, pastValue] = node.inputs;
  if (!key || !value) throw c.refusal("a packed query, key and value have no gradient rule");
  if (node.outputs[3]) throw c.refusal("its fourth output has no gradient rule");
  const heads = headCount(c, node);
  const given = [query, key, value];
  const isByHeads = given.map((name) => c.dims(name).length === 4);
  const sizes = given.map((name, i) =>
    isByHeads[i] ? heads * (c.sizes(name, 3)[3] ?? 0) : (c.sizes(name, 2)[2] ?? 0),
  );
  const biases = bias ? split(c, bias, sizes, 0) : [];
  const [q = "", k = "", v = ""] = given.map((name, i) => {
    if (isByHeads[i]) return name;
    const part = biases[i];
    return byHeads(c, part ? add(c, name, part) : name, heads);
  });
  const joined = (past: MaybeValue, now: string): string =>
    past ? c.emit("Concat", [past, now], [makeInt("axis", 2)]) : now;
  const all = { query: q, key: joined(pastKey, k), value: joined(pastValue, v) };
  const form = formOf(c, node, all, mask, attentionBias, pastLength(c, pastKey));
  return [
    joinedHeads(c, attention(c, all, form)),
    node.outputs[1] ? all.key : undefined,
    node.outputs[2] ? all.value : undefined,
  ];
};

function headCount(c: Emitter, node: Node): number {
  const heads = intAttribute(node, "num_heads", 0);
  if (heads <= 0) throw c.refusal(`it has ${heads} heads`);
  return heads;
}

function formOf(
  c: Emitter,
  node: Node,
  { key }: Heads,
  mask: MaybeValue,
  attentionBias: MaybeValue,
  past: number,
): AttentionForm {
  const filter = floatAttribute(node, "mask_filter_value", -10000);
  const masked = mask ? maskBias(c, mask, key, filter) : undefined;
  const isCausal = intAttribute(node, "unidirectional", 0) !== 0;
  return {
    scale: floatAttribute(node, "scale", 0),
    causalOffset: isCausal ? past : undefined,
    bias: masked && attentionBias ? add(c, masked, attentionBias) : (masked ?? attentionBias),
  };
}

/** Of a mask [N, key time], [N, query time, key time] or [N] (lengths): `filter` where it is 0. */
function maskBias(c: Emitter, mask: string, key: string, filter: number): string {
  const dims = c.dims(mask);
  const keyDims = c.dims(key);
  const wide = c.emit("Cast", [mask], [makeInt("to", DataType.int64)]);
  if (dims.length === 1) {
    if (dims[0] !== keyDims[0])
      throw c.refusal("its mask of start and end positions has no gradient rule");
    const times = c.sizes(key, 2)[2] ?? 0;
    const lengths = c.emit("Unsqueeze", [wide, c.int64([1, 2, 3])]);
    const isSeen = c.emit("Less", [c.int64([...Array(times).keys()]), lengths]);
    return where(c, isSeen, 0, filter);
  }
  const isMasked = c.emit("Equal", [wide, c.int64Scalar(0)]);
  const axes = dims.length === 2 ? [1, 2] : dims.length === 3 ? [1] : [];
  const spread = axes.length > 0 ? c.emit("Unsqueeze", [isMasked, c.int64(axes)]) : isMasked;
  return where(c, spread, filter, 0);
}

export const CONTRIB_ATTENTION_PARTS: ExpansionTable = {
  "com.microsoft::Attention": packedAttention,
  "com.microsoft::MultiHeadAttention": multiHeadAttention,
};
