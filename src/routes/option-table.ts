/** @file An operation's options with the methods that have them: schemas, and refusing what a method does not have. */
import { ApiError } from "../problem/api-error.ts";
import { BOUNDS, jsonSchema, type Option, querySchema } from "./option-text.ts";

/** By option name; without `methods`, every method has it. */
export type OptionTable = Readonly<
  Record<string, { option: Option; methods?: readonly string[] | undefined }>
>;

/** The names and schemas of a table's options and the bounds. */
export function schemasOf(table: OptionTable) {
  const options = {
    ...Object.fromEntries(Object.entries(table).map(([name, { option }]) => [name, option])),
    ...BOUNDS,
  };
  return { names: Object.keys(options), json: jsonSchema(options), query: querySchema(options) };
}

/**
 * @param method as the table spells it
 * @param label as the caller gave it, for the message
 * @throws ApiError naming each given option that the method does not have
 */
export function refuseOptionsOfOthers(
  table: OptionTable,
  given: Readonly<Record<string, unknown>>,
  method: string,
  label: string,
): void {
  const wrong = Object.keys(given).filter(
    (name) => table[name]?.methods?.includes(method) === false,
  );
  if (wrong.length > 0) throw optionsRefused(wrong, `${label} does not have this option`);
}

export function optionsRefused(paths: readonly string[], message: string): ApiError {
  const errors = paths.map((path) => ({ path, message }));
  const detail = errors.map(({ path }) => `${path}: ${message}`).join("; ");
  return new ApiError("invalid_request", detail, { errors });
}
