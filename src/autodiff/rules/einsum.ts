/** @file Gradients of Einsum: an Einsum of the output's gradient with the other operands. */
import { makeString, stringAttribute } from "../../graph/attributes.ts";
import type { GradientContext, GradientRule, RuleTable } from "../rule.ts";

interface Equation {
  /** The letters of each operand's axes. */
  operands: string[];
  result: string;
}

const einsum: GradientRule = (c, node, [g = ""]) => {
  const ranks = node.inputs.map((name) => c.dims(name).length);
  const { operands, result } = parse(c, stringAttribute(node, "equation", ""), ranks);
  return node.inputs.map((name, i) => {
    if (!c.needsGradient(name)) return undefined;
    const own = operands[i] ?? "";
    const others = operands.flatMap((letters, j) =>
      j === i ? [] : [{ letters, name: node.inputs[j] }],
    );
    const known = new Set([result, ...others.map(({ letters }) => letters)].join(""));
    const kept = own.split("").filter((letter) => known.has(letter));
    const equation = `${[result, ...others.map(({ letters }) => letters)].join()}->${kept.join("")}`;
    const product = c.emit(
      "Einsum",
      [g, ...others.map((other) => other.name)],
      [makeString("equation", equation)],
    );
    // Axes that only this operand has were summed.
    const summed = own.split("").flatMap((letter, axis) => (known.has(letter) ? [] : [axis]));
    if (summed.length === 0) return c.reduceTo(product, name);
    const spread = c.emit("Unsqueeze", [product, c.int64(summed)]);
    return c.reduceTo(c.emit("Expand", [spread, c.shapeOf(name)]), name);
  });
};

/** Letters of every axis, with the ellipsis spelled out and the implicit result in alphabetical order. */
function parse(c: GradientContext, text: string, ranks: readonly number[]): Equation {
  const [left = "", right] = text.replaceAll(" ", "").split("->");
  const terms = left.split(",");
  const spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    .split("")
    .filter((letter) => !text.includes(letter));
  const widths = terms.map((term, i) =>
    term.includes("...") ? (ranks[i] ?? 0) - (term.length - 3) : 0,
  );
  const dots = spare.slice(0, Math.max(...widths)).join("");
  // Axes behind an ellipsis are aligned at their ends.
  const operands = terms.map((term, i) =>
    term.replace("...", dots.slice(dots.length - (widths[i] ?? 0))),
  );
  for (const letters of operands) {
    if (new Set(letters).size !== letters.length) {
      throw c.refusal(`an operand of "${text}" names an axis twice`);
    }
  }
  if (right !== undefined) return { operands, result: right.replace("...", dots) };
  const letters = terms.join("").replaceAll(".", "").split("").toSorted();
  const single = letters.filter(
    (letter) => letters.indexOf(letter) === letters.lastIndexOf(letter),
  );
  return { operands, result: dots + single.join("") };
}

export const EINSUM: RuleTable = { Einsum: einsum };
