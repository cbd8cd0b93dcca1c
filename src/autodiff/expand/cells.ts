/** @file The steps of RNN, GRU and LSTM as ONNX defines them, unrolled over time by recurrent.ts. */
import { intAttribute } from "../../graph/attributes.ts";
import { add, mul, sub } from "../arithmetic.ts";
import type { Expansion, ExpansionTable, MaybeValue } from "../rule.ts";
import { projected, recurrent, split, summedBias, unrolled } from "./recurrent.ts";

/** H = f(X·Wᵀ + H·Rᵀ + b). */
const rnn: Expansion = (c, node) =>
  unrolled(c, node, {
    activations: ["Tanh"],
    project: (x, { weights, bias }) => projected(c, x, weights, summedBias(c, bias)),
    stepper:
      ({ recurrence, activations: [f = same] }) =>
      (input, { hidden }) => ({
        hidden: f(hidden ? recurrent(c, hidden, recurrence, input) : input),
      }),
  });

const same = (value: string): string => value;

/**
 * Gates z and r by f, then the candidate n = g(x_n + r∘(H·R_nᵀ + b)) or, without linear_before_reset,
 * g(x_n + (r∘H)·R_nᵀ + b); H = n + z∘(H − n).
 */
const gru: Expansion = (c, node) => {
  const isLinearFirst = intAttribute(node, "linear_before_reset", 0) !== 0;
  const size = c.sizes(node.inputs[2] ?? "", 2)[2] ?? 0;
  const gates = (value: string, axis: number): string[] => split(c, value, [2 * size, size], axis);
  return unrolled(c, node, {
    activations: ["Sigmoid", "Tanh"],
    project: (x, { weights, bias }) => {
      if (!isLinearFirst || !bias) return projected(c, x, weights, summedBias(c, bias));
      // The candidate's own recurrent bias is scaled by r with the product it belongs to.
      const [ofInput = "", ofGates = ""] = split(c, bias, [3 * size, 2 * size, size], 0);
      const padded = c.emit("Pad", [ofGates, c.int64([0, size])]);
      return projected(c, x, weights, add(c, ofInput, padded));
    },
    stepper: ({ recurrence, bias, activations: [f = same, g = same] }) => {
      const [gateWeights = "", candidateWeights = ""] = gates(recurrence, 0);
      const lastBias = isLinearFirst && bias ? split(c, bias, [5 * size, size], 0)[1] : undefined;
      return (input, { hidden }) => {
        const [gateInput = "", candidateInput = ""] = gates(input, 1);
        const gate = f(hidden ? recurrent(c, hidden, gateWeights, gateInput) : gateInput);
        const [z = "", r = ""] = split(c, gate, [size, size], 1);
        let candidate = candidateInput;
        if (isLinearFirst) {
          const linear = hidden ? recurrent(c, hidden, candidateWeights, lastBias) : lastBias;
          if (linear) candidate = add(c, candidate, mul(c, r, linear));
        } else if (hidden) {
          candidate = recurrent(c, mul(c, r, hidden), candidateWeights, candidate);
        }
        const n = g(candidate);
        const kept = mul(c, z, hidden ? sub(c, hidden, n) : n);
        return { hidden: hidden ? add(c, n, kept) : sub(c, n, kept) };
      };
    },
  });
};

/**
 * Gates i, o, f by f, candidate by g; C = f∘C + i∘candidate, H = o∘h(C). Peepholes add P∘C to the gates: the C
 * before the step for i and f, the one after it for o. input_forget: f = 1 − i.
 */
const lstm: Expansion = (c, node) => {
  const size = c.sizes(node.inputs[2] ?? "", 2)[2] ?? 0;
  const isCoupled = intAttribute(node, "input_forget", 0) !== 0;
  return unrolled(c, node, {
    activations: ["Sigmoid", "Tanh", "Tanh"],
    cellInput: 6,
    peepholeInput: 7,
    project: (x, { weights, bias }) => projected(c, x, weights, summedBias(c, bias)),
    stepper: ({ recurrence, peepholes, activations: [f = same, g = same, h = same] }) => {
      const three = [size, size, size];
      const [ofI, ofO, ofF] = peepholes ? split(c, peepholes, three, 0) : [];
      const peeped = (sum: string, weights: MaybeValue, state: MaybeValue): string =>
        f(state && weights ? add(c, sum, mul(c, state, weights)) : sum);
      return (input, { hidden, cell }) => {
        const sums = hidden ? recurrent(c, hidden, recurrence, input) : input;
        const [gateSums = "", candidateSum = ""] = split(c, sums, [3 * size, size], 1);
        // Without peepholes, one call of the gates' function for all three.
        const whole = peepholes ? gateSums : f(gateSums);
        const [first = "", second = "", third = ""] = split(c, whole, three, 1);
        const i = peepholes ? peeped(first, ofI, cell) : first;
        const forget = (): string => (peepholes ? peeped(third, ofF, cell) : third);
        const added = mul(c, i, g(candidateSum));
        const next = cell
          ? add(c, mul(c, isCoupled ? sub(c, 1, i) : forget(), cell), added)
          : added;
        const o = peepholes ? peeped(second, ofO, next) : second;
        return { hidden: mul(c, o, h(next)), cell: next };
      };
    },
  });
};

export const RECURRENT_PARTS: ExpansionTable = { RNN: rnn, GRU: gru, LSTM: lstm };
