/** @file The values of synthetic inputs: what a name and a use say they mean, else seeded noise. */
import { DataType, elementCount, rawByteLength } from "../onnx/data-type.ts";
import type { HostTensor } from "../runtime/runtime.ts";
import type { InputFacts } from "./input-facts.ts";
import { drawing } from "./drawing.ts";
import { Noise } from "./noise.ts";
import { tensorOf } from "./elements.ts";

/** What an input's values mean. */
export type InputRole =
  /** Indices into a table of `facts.rows` rows. */
  | "indices"
  | "positions"
  | "ones"
  | "zeros"
  /** Number of tokens, frames or samples. */
  | "length"
  | "sample_rate"
  /** What a recurrent net carries from call to call. */
  | "state"
  | "noise";

const SAMPLE_RATE = 16000;
/** Token ids for tables of unknown size. */
const SMALL_VOCABULARY = 100;

const FLOATS: ReadonlySet<DataType> = new Set([
  DataType.float32,
  DataType.float16,
  DataType.bfloat16,
  DataType.float64,
]);

export function isFloat(type: DataType): boolean {
  return FLOATS.has(type);
}

/** By its name, where models agree on names, then by its use. */
export function inputRole(
  name: string,
  dataType: DataType,
  rank: number,
  facts: InputFacts,
): InputRole {
  const word = name.toLowerCase();
  if (isFloat(dataType)) {
    if (/mask/.test(word)) return "ones";
    return isStateName(word) ? "state" : "noise";
  }
  if (dataType === DataType.bool) {
    if (/mask/.test(word)) return "ones";
    return rank === 0 || /use_cache|training/.test(word) ? "zeros" : "noise";
  }
  if (/^(sr|rate|sample_?rate|sampling_?rate)$/.test(word)) return "sample_rate";
  if (/token_type|segment/.test(word)) return "zeros";
  if (/position|pos_ids/.test(word)) return "positions";
  if (/mask/.test(word)) return "ones";
  if (/length|(^|_)lens?($|_)/.test(word)) return "length";
  if (facts.rows !== undefined || /ids?$|token/.test(word)) return "indices";
  return rank <= 1 && dataType !== DataType.uint8 && dataType !== DataType.int8 ? "ones" : "noise";
}

export function isStateName(name: string): boolean {
  return /state|hidden|cell|cache|past|memory|^[hc]\d*$|^[hc]_?(0|in)$/.test(name.toLowerCase());
}

export interface ValueRequest {
  role: InputRole;
  dataType: DataType;
  dims: number[];
  facts: InputFacts;
  /** For the role `length`. */
  length: number;
  seed: number;
  /** Pictures are drawings in even runs, waves in odd ones. */
  run: number;
}

/** @throws RangeError for element types that have no synthetic values (strings, complex numbers) */
export function inputValues(request: ValueRequest): HostTensor {
  const { role, dataType, dims } = request;
  const count = elementCount(dims);
  const last = dims.at(-1) ?? 1;
  const limit = request.facts.rows ?? SMALL_VOCABULARY;
  const noise = new Noise(request.seed);
  const made = (value: (index: number) => number): HostTensor => tensorOf(dataType, dims, value);
  switch (role) {
    case "zeros":
      return { dataType, dims, bytes: new Uint8Array(rawByteLength(dataType, count)) };
    case "ones":
      return made(() => 1);
    case "positions":
      return made((index) => Math.min(index % last, limit - 1));
    case "indices":
      return made(() => noise.below(limit));
    case "length":
      return made(() => request.length);
    case "sample_rate":
      return made(() => SAMPLE_RATE);
    case "state":
      return made(() => 0.1 * noise.normal());
    case "noise":
      break;
  }
  if (isFloat(dataType)) {
    const signal = isPicture(request) ? picture(noise, request) : noise.signal(dims);
    return made((index) => signal[index] ?? 0);
  }
  switch (dataType) {
    case DataType.uint8:
      return made(() => noise.below(256));
    case DataType.int8:
      return made(() => noise.below(256) - 128);
    case DataType.bool:
    case DataType.uint2:
    case DataType.int2:
      return made(() => noise.below(2));
    default:
      return made(() => noise.below(8));
  }
}

/** A batch of grey or colour pictures for a convolution. */
function isPicture({ dims, facts, run }: ValueRequest): boolean {
  if (!facts.convolved || dims.length !== 4 || run % 2 === 1) return false;
  const channels = dims[facts.convolved === "channels_first" ? 1 : 3] ?? 0;
  return channels >= 1 && channels <= 4;
}

/** The same drawing in all channels. */
function picture(noise: Noise, { dims, facts }: ValueRequest): Float32Array {
  const [batch = 1, a = 1, b = 1, c = 1] = dims;
  const first = facts.convolved === "channels_first";
  const [height, width, channels] = first ? [b, c, a] : [a, b, c];
  const area = height * width;
  const values = new Float32Array(batch * area * channels);
  for (let image = 0; image < batch; image++) {
    const start = image * area * channels;
    const picture = drawing(noise, height, width);
    for (let i = 0; i < area * channels; i++) {
      values[start + i] = picture[first ? i % area : Math.floor(i / channels)] ?? 0;
    }
  }
  return values;
}
