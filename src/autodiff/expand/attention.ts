/**
 * @file Attention by its parts: softmax(scale·Q·Kᵀ + mask)·V over heads, for ai.onnx's Attention and
 * com.microsoft's Attention and MultiHeadAttention.
 */
import { floatAttribute, intAttribute, makeInt, makeInts } from "../../graph/attributes.ts";
import { DataType } from "../../onnx/data-type.ts";
import { add, castLike, div, mul, tanh, where } from "../arithmetic.ts";
import type { Emitter, Expansion, ExpansionTable, MaybeValue } from "../rule.ts";

/** Query, key and value by heads: [N, heads, time, head size]. */
export interface Heads {
  query: string;
  key: string;
  value: string;
}

export interface AttentionForm {
  /** Default 1/√(head size). */
  scale?: number | undefined;
  /** Added to the scores; broadcasts to [N, heads, query time, key time]. */
  bias?: MaybeValue;
  /** Query q sees the keys up to q + this; `undefined`: all of them. */
  causalOffset?: number | undefined;
  /** Scores are s·tanh(score/s). */
  softcap?: number;
}

/** @returns [N, heads, query time, value head size] */
export function attention(c: Emitter, heads: Heads, form: AttentionForm): string {
  const { query, key, value } = heads;
  const size = c.sizes(query, 3)[3] ?? 1;
  const turned = c.emit("Transpose", [key], [makeInts("perm", [0, 1, 3, 2])]);
  const factor = form.scale || 1 / Math.sqrt(size);
  let scores = c.emit("MatMul", [mul(c, query, factor), turned]);
  if (form.softcap) scores = mul(c, tanh(c, div(c, scores, form.softcap)), form.softcap);
  if (form.bias) scores = add(c, scores, form.bias);
  if (form.causalOffset !== undefined) {
    scores = add(c, scores, causalMask(c, scores, form.causalOffset));
  }
  const weights = c.emit("Softmax", [scores], [makeInt("axis", -1)]);
  return c.emit("MatMul", [weights, value]);
}

/** What masked scores get: far below every other, and finite, so that a row of nothing else is no NaN. */
const LOWEST = -1e9;

/** [query time, key time]: 0 where the query may look. */
function causalMask(c: Emitter, scores: string, offset: number): string {
  const [queries = 0, keys = 0] = c.sizes(scores, 2).slice(2);
  const mask = Float32Array.from({ length: queries * keys }, (_, i) =>
    (i % keys) - Math.floor(i / keys) > offset ? LOWEST : 0,
  );
  return c.floats(mask, [queries, keys]);
}

/** [N, time, heads · size] → [N, heads, time, size]. */
export function byHeads(c: Emitter, value: string, heads: number): string {
  const size = (c.sizes(value, 2)[2] ?? 0) / heads;
  const parted = c.emit("Reshape", [value, c.int64([0, 0, heads, size])]);
  return c.emit("Transpose", [parted], [makeInts("perm", [0, 2, 1, 3])]);
}

/** [N, heads, time, size] → [N, time, heads · size]. */
export function joinedHeads(c: Emitter, value: string): string {
  const turned = c.emit("Transpose", [value], [makeInts("perm", [0, 2, 1, 3])]);
  const [, , , size = 0] = c.sizes(value, 3);
  const heads = Number(c.dims(value)[1]);
  return c.emit("Reshape", [turned, c.int64([0, 0, heads * size])]);
}

/** ai.onnx Attention (opset 23): 3-D or 4-D inputs, grouped heads, past keys and values, masks of bool or float. */
const onnxAttention: Expansion = (c, node) => {
  const [query = "", key = "", value = "", mask, pastKey, pastValue] = node.inputs;
  if (node.outputs[3]) throw c.refusal("its fourth output has no gradient rule");
  const isFlat = c.dims(query).length === 3;
  const count = (name: string, attribute: string): number =>
    isFlat ? intAttribute(node, attribute, 1) : Number(c.dims(name)[1]);
  const [queryHeads, keyHeads] = [count(query, "q_num_heads"), count(key, "kv_num_heads")];
  const split = (name: string, heads: number): string => (isFlat ? byHeads(c, name, heads) : name);
  const joined = (past: MaybeValue, now: string): string =>
    past ? c.emit("Concat", [past, now], [makeInt("axis", 2)]) : now;
  const keys = joined(pastKey, split(key, keyHeads));
  const values = joined(pastValue, split(value, keyHeads));
  const repeats = queryHeads / keyHeads;
  const result = attention(
    c,
    {
      query: split(query, queryHeads),
      key: repeated(c, keys, repeats),
      value: repeated(c, values, repeats),
    },
    {
      scale: floatAttribute(node, "scale", 0),
      softcap: floatAttribute(node, "softcap", 0),
      causalOffset: intAttribute(node, "is_causal", 0) !== 0 ? pastLength(c, pastKey) : undefined,
      bias: mask && asBias(c, mask, query),
    },
  );
  return [
    isFlat ? joinedHeads(c, result) : result,
    node.outputs[1] ? keys : undefined,
    node.outputs[2] ? values : undefined,
  ];
};

/** How many times come before the first query's, by past keys [N, heads, time, size]. */
export const pastLength = (c: Emitter, past: MaybeValue): number =>
  past ? (c.sizes(past, 2)[2] ?? 0) : 0;

/** Each head of keys serves `times` heads of queries that follow each other. */
function repeated(c: Emitter, value: string, times: number): string {
  if (times === 1) return value;
  const [, heads = 0, , size = 0] = c.dims(value);
  const apart = c.emit("Unsqueeze", [value, c.int64([2])]);
  const copies = c.emit("Expand", [apart, c.int64([1, 1, times, 1, 1])]);
  return c.emit("Reshape", [copies, c.int64([0, Number(heads) * times, -1, Number(size)])]);
}

/** A mask as what is added to the scores: bool ones mark what may be seen. */
function asBias(c: Emitter, mask: string, like: string): string {
  if (c.elementType(mask) !== DataType.bool) return castLike(c, mask, like);
  return where(c, mask, 0, LOWEST);
}

export const ATTENTION_PARTS: ExpansionTable = { Attention: onnxAttention };
