/** @file The API's options as flags: `weight_type` is `--weight-type`, so that nothing has two names. */
import { type Command, Option } from "commander";
import type { OptionTable } from "../routes/option-table.ts";
import { BOUNDS } from "../routes/option-text.ts";

/** Adds a flag for every option: `--verify` and `--no-verify`, `--bits <value>`, `--op-types <names>` once or more. */
export function addOptionFlags(command: Command, table: OptionTable): void {
  for (const [name, { option, methods }] of Object.entries(withBounds(table))) {
    const flag = `--${name.replaceAll("_", "-")}`;
    const short = name === "method" ? "-m, " : "";
    const only = methods ? ` [${methods.join(", ")}]` : "";
    const text = option.description + only;
    if (option.kind === "flag") {
      command.addOption(new Option(flag, text)).addOption(new Option(flag.replace("--", "--no-")));
    } else if (option.kind === "list") {
      const add = (value: string, before: string[] = []) => [...before, value];
      command.addOption(new Option(`${flag} <names>`, text).argParser(add));
    } else command.addOption(new Option(`${short}${flag} <value>`, text));
  }
}

/**
 * The options that were given, as the API's JSON has them.
 * @param flags as commander parsed them
 */
export function givenOptions(
  table: OptionTable,
  flags: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [name, { option }] of Object.entries(withBounds(table))) {
    const value = flags[camelCase(name)];
    if (value === undefined) continue;
    options[name] = typeof value === "boolean" ? value : option.fromText(value as string);
  }
  return options;
}

/** Options as a query has them: JSON where query text would not be read as what it is. */
export function asQuery(options: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, queryText(value)]),
  );
}

/** Numbers keep their point, since a query reads `amount=1` as a count: 1 is `1.0`, a count is what stands in `count`. */
function queryText(value: unknown): string {
  if (typeof value === "string") return value;
  const isCount = typeof value === "object" && value !== null && "count" in value;
  if (isCount && typeof value.count === "number") return String(value.count);
  return JSON.stringify(value);
}

function withBounds(table: OptionTable): OptionTable {
  const bounds = Object.entries(BOUNDS).map(([name, option]) => [name, { option }]);
  return { ...table, ...(Object.fromEntries(bounds) as OptionTable) };
}

function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
