/** @file The sizes of synthetic inputs: what is declared, what weights demand, and sensible numbers for the rest. */
import type { Dimension } from "../onnx/model.ts";
import type { InputFacts } from "./input-facts.ts";

/** What an open dimension stands for. */
export type DimensionKind =
  | "batch"
  | "channels"
  /** Height, width, depth. */
  | "spatial"
  /** Tokens, frames, time steps. */
  | "sequence"
  /** Values of a raw signal. */
  | "samples"
  /** What was seen before: keys and values of earlier tokens. */
  | "past";

/** The sizes to try for the open dimensions. */
export type Sizes = Readonly<Record<DimensionKind, number>>;

/** The first of each is tried first. Nets that halve their input five times need multiples of 32; PP-OCR reads lines 48 high. */
export const SIZES_TO_TRY = {
  batch: [1],
  channels: [3, 1, 64],
  spatial: [64, 32, 48, 224, 320],
  sequence: [16, 1, 8, 128],
  samples: [512, 1280, 16000, 64],
  past: [0, 16],
} as const satisfies Record<DimensionKind, readonly number[]>;

export interface InputShape {
  name: string;
  /** `undefined`: the rank is not declared. */
  declared: Dimension[] | undefined;
  /** Integers and masks: tokens rather than a signal. */
  discrete: boolean;
  /** A recurrent state or a cache: its open dimensions are 1, or `past`. */
  state: boolean;
  facts: InputFacts;
}

/** By its name; the words are those of PyTorch, transformers and tf2onnx exports. */
const KIND_BY_NAME: readonly [RegExp, DimensionKind][] = [
  [/batch|^n$|^b$|num_?(sent|examples)/i, "batch"],
  [/past|cache/i, "past"],
  [/sample/i, "samples"],
  [/height|width|depth|^[hw]$|spatial|image/i, "spatial"],
  [/seq|len|time|token|frame|step|^[tsl]$/i, "sequence"],
  [/channel|^c$/i, "channels"],
];

export function kindOfName(name: string): DimensionKind | undefined {
  return KIND_BY_NAME.find(([pattern]) => pattern.test(name))?.[1];
}

/** Sizes for the inputs of one model: the same symbol is the same number wherever it stands. */
export class ShapeResolver {
  readonly #sizes: Sizes;
  readonly #symbols = new Map<string, number>();
  /** The kinds that were open, so that other sizes of them can be tried. */
  readonly used = new Set<DimensionKind>();

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
  }

  resolve(input: InputShape): number[] {
    const shape = input.declared ?? Array.from({ length: guessRank(input) }, () => undefined);
    return shape.map((dim, axis) => this.#dimension(input, shape, dim, axis));
  }

  #dimension(input: InputShape, shape: Dimension[], dim: Dimension, axis: number): number {
    if (typeof dim === "number") return dim;
    const demanded = input.facts.sizes.get(axis) ?? input.facts.sizes.get(axis - shape.length);
    const sum = dim?.split("+").map((term) => term.trim());
    if (dim !== undefined && sum && sum.length > 1) {
      const terms = sum.map((term) =>
        /^\d+$/.test(term) ? Number(term) : this.#symbol(term, "sequence"),
      );
      return terms.reduce((total, term) => total + term, 0);
    }
    const kind = kindOf(input, shape, axis);
    if (dim === undefined) return demanded ?? this.#size(kind);
    if (demanded !== undefined && !this.#symbols.has(dim)) this.#symbols.set(dim, demanded);
    return this.#symbol(dim, kind);
  }

  #symbol(name: string, kind: DimensionKind): number {
    const known = this.#symbols.get(name);
    if (known !== undefined) return known;
    let size: number;
    // The mask of a decoder spans the tokens of before and those of now.
    if (/total/i.test(name)) size = this.#size("past") + this.#size("sequence");
    else size = this.#size(kindOfSymbol(name, kind));
    this.#symbols.set(name, size);
    return size;
  }

  #size(kind: DimensionKind): number {
    this.used.add(kind);
    return this.#sizes[kind];
  }
}

/** A name says more than a position, but what is called a sequence may be one of samples. */
function kindOfSymbol(name: string, byPosition: DimensionKind): DimensionKind {
  const named = kindOfName(name) ?? byPosition;
  return named === "sequence" && byPosition === "samples" ? "samples" : named;
}

/** By position, for dimensions whose name says nothing. */
function kindOf(input: InputShape, shape: Dimension[], axis: number): DimensionKind {
  const { facts, discrete, state } = input;
  const rank = shape.length;
  if (state) return "batch";
  if (axis === 0 && (rank > 1 || discrete)) return "batch";
  if (rank >= 4) {
    const last = shape[rank - 1];
    const channelsLast =
      facts.convolved === "channels_last" ||
      (!facts.convolved && typeof last === "number" && last <= 4 && typeof shape[1] !== "number");
    if (channelsLast) return axis === rank - 1 ? "channels" : "spatial";
    return axis === 1 ? "channels" : "spatial";
  }
  if (rank === 3) {
    const features = facts.convolved === "channels_first" ? 1 : 2;
    return axis === features ? "channels" : "sequence";
  }
  return discrete ? "sequence" : "samples";
}

/** [batch, something] where nothing is known. */
function guessRank({ facts }: InputShape): number {
  return facts.rank ?? 2;
}
