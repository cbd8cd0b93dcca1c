/** @file The console's forms against the routes' tables of options. */
import { expect, it } from "vitest";
import { PRUNE_METHODS } from "../../src/prune/options.ts";
import type { OptionTable } from "../../src/routes/option-table.ts";
import { PRUNE_OPTIONS } from "../../src/routes/prune-options.ts";
import { QUANTIZE_OPTIONS } from "../../src/routes/quantize-options.ts";
import { METHOD_OPTIONS } from "../../src/web/console/compress/method-options.ts";

function optionsOf(table: OptionTable, method: string): string[] {
  return Object.entries(table)
    .filter(([name, { methods }]) => name !== "method" && methods?.includes(method) !== false)
    .map(([name]) => name)
    .filter((name) => name !== "dtype")
    .sort();
}

it.each(Object.entries(METHOD_OPTIONS.quantize))(
  "%s has the options that the form shows",
  (method, shown) => {
    expect([...shown].sort()).toEqual(optionsOf(QUANTIZE_OPTIONS, method));
  },
);

it.each(Object.entries(METHOD_OPTIONS.prune))(
  "%s has the options that the form shows",
  (method, shown) => {
    expect([...shown].sort()).toEqual(optionsOf(PRUNE_OPTIONS, method));
  },
);

it("every method of pruning is in the form", () => {
  expect(Object.keys(METHOD_OPTIONS.prune).sort()).toEqual([...PRUNE_METHODS].sort());
});
