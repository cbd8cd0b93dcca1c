/** @file Values by a schema of the description: valid ones, those at its bounds, and valid ones with one thing wrong. */
import fc from "fast-check";
import type { KnownIds } from "./known-ids.ts";
import { resolve, type Schema } from "./operations.ts";

type Values = fc.Arbitrary<unknown>;

/** Recursive schemas end here. */
const MAX_DEPTH = 6;
const URLS = [
  "http://127.0.0.1:9/model.onnx",
  "http://10.0.0.1/",
  "http://[::1]:9/",
  "https://user:pass@127.0.0.1:9/x",
  "ftp://127.0.0.1/x",
];

/** What a schema takes, and at times what it only seems to take: the service has rules that no schema says. */
export function valid(given: Schema, ids: KnownIds, depth = 0): Values {
  const schema = resolve<Schema>(given as Schema & { $ref: string });
  const plain = byType(schema, ids, depth);
  const named = [schema.example, schema.default].filter((each) => each !== undefined);
  return named.length === 0
    ? plain
    : fc.oneof(
        { weight: 3, arbitrary: plain },
        { weight: 1, arbitrary: fc.constantFrom(...named) },
      );
}

function byType(schema: Schema, ids: KnownIds, depth: number): Values {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const forms = schema.oneOf ?? schema.anyOf;
  if (forms) return fc.oneof(...forms.map((form) => valid(form, ids, depth + 1)));
  if (schema.allOf) {
    return fc
      .tuple(...schema.allOf.map((part) => valid(part, ids, depth + 1)))
      .map((parts) => Object.assign({}, ...(parts as object[])) as unknown);
  }
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type) => byType({ ...schema, type }, ids, depth)));
  }
  switch (schema.type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
    case "number":
      return numbers(schema);
    case "string":
      return strings(schema, ids);
    case "array":
      return arrays(schema, ids, depth);
    case "object":
      return objects(schema, ids, depth);
    default:
      return depth > MAX_DEPTH ? fc.constant({}) : fc.jsonValue({ maxDepth: 2 });
  }
}

function numbers(schema: Schema): Values {
  const isInteger = schema.type === "integer";
  const step = isInteger ? 1 : 1e-6;
  const min = schema.minimum ?? (schema.exclusiveMinimum ?? -1 - step) + step;
  const max = schema.maximum ?? (schema.exclusiveMaximum ?? Math.max(1000, min) + step) - step;
  if (!(min < max)) return fc.constant(min);
  const within = isInteger
    ? fc.integer({ min: Math.ceil(min), max: Math.floor(Math.min(max, 2 ** 53 - 1)) })
    : fc.double({ min, max, noNaN: true });
  return fc.oneof(
    { weight: 4, arbitrary: within },
    { weight: 1, arbitrary: fc.constantFrom(min, max, min - step, max + step) },
  );
}

function strings(schema: Schema, ids: KnownIds): Values {
  const { minLength = 0, maxLength = 40, format, pattern, example } = schema;
  if (format === "uri") return fc.constantFrom(...URLS);
  if (format === "date-time") return fc.constantFrom("2026-11-24T12:00:00Z", "yesterday");
  // A pattern that looks ahead has its example.
  if (pattern && !pattern.includes("(?")) return fc.stringMatching(new RegExp(pattern));
  const any = fc.string({ unit: "binary", minLength, maxLength: Math.min(maxLength, 60) });
  const known = fc.nat().map((choice) => ids.like(example, choice) ?? example ?? "x");
  const longest = "x".repeat(Math.min(maxLength, 5000));
  return example === undefined
    ? fc.oneof(any, fc.constantFrom(longest, `${longest}x`))
    : fc.oneof({ weight: 8, arbitrary: known }, { weight: 1, arbitrary: any });
}

function arrays(schema: Schema, ids: KnownIds, depth: number): Values {
  if (schema.prefixItems) {
    return fc.tuple(...schema.prefixItems.map((item) => valid(item, ids, depth + 1)));
  }
  const { minItems = 0, maxItems = 3 } = schema;
  if (depth > MAX_DEPTH) return fc.constant([]);
  const maxLength = Math.max(minItems, Math.min(maxItems, 3));
  return fc.array(valid(schema.items ?? {}, ids, depth + 1), { minLength: minItems, maxLength });
}

function objects(schema: Schema, ids: KnownIds, depth: number): Values {
  const required = schema.required ?? [];
  const properties = Object.entries(schema.properties ?? {});
  const isDeep = depth > MAX_DEPTH;
  const fields = properties
    .filter(([name]) => !isDeep || required.includes(name))
    .map(([name, property]) => {
      const value = valid(property, ids, depth + 1);
      const field = required.includes(name) ? value : fc.option(value, { nil: undefined, freq: 2 });
      return [name, field] as const;
    });
  const least = fields.filter(([name]) => required.includes(name));
  // Many options exclude one another, so that some requests have only what they must.
  const named = fc.oneof(
    { weight: 2, arbitrary: fc.record(Object.fromEntries(fields)) as fc.Arbitrary<object> },
    { weight: 1, arbitrary: fc.record(Object.fromEntries(least)) as fc.Arbitrary<object> },
  );
  const { additionalProperties: more } = schema;
  if (typeof more !== "object" || isDeep) return named;
  const further = fc.dictionary(fc.string({ maxLength: 20 }), valid(more, ids, depth + 1), {
    maxKeys: 2,
  });
  return fc.tuple(further, named).map(([some, rest]) => ({ ...some, ...rest }));
}

const deep = (levels: number, open: string, close: string): unknown =>
  JSON.parse(open.repeat(levels) + "1" + close.repeat(levels));

/** What no field expects. */
export const NASTY: readonly unknown[] = [
  null,
  true,
  "",
  "\0",
  "💥\u202e\ud800",
  "../../etc/passwd",
  "x".repeat(70_000),
  -1,
  0,
  0.1,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  1e300,
  [],
  {},
  [[]],
  [null],
  JSON.parse('{"__proto__": {"admin": true}, "constructor": 1, "": 2}'),
  deep(1500, "[", "]"),
  deep(1500, '{"a":', "}"),
  Array.from({ length: 3000 }, (_, index) => index),
];

/** A valid value with one thing replaced, added or taken away, wherever it lies. */
export function broken(values: Values): Values {
  const change = fc.record({ place: fc.nat(), nasty: fc.constantFrom(...NASTY), kind: fc.nat(3) });
  return fc.tuple(values, change).map(([value, { place, nasty, kind }]) => {
    const whole: Owner = { value: structuredClone(value) };
    const places = placesIn(whole);
    const [owner, key] = places[place % places.length] ?? [whole, "value"];
    if (kind === 0 && owner !== whole) delete owner[key];
    else if (kind === 1 && isObject(owner[key])) owner[key]["fuzz"] = nasty;
    else owner[key] = nasty;
    return whole["value"];
  });
}

type Owner = Record<string, unknown>;
const isObject = (value: unknown): value is Owner => typeof value === "object" && value !== null;

function placesIn(owner: Owner): [Owner, string][] {
  return Object.keys(owner).flatMap((key) => {
    const inner = owner[key];
    return [[owner, key] as [Owner, string], ...(isObject(inner) ? placesIn(inner) : [])];
  });
}
