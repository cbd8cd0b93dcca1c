/** @file Requests of an operation: as described, at the bounds, and broken in its parameters, headers, body or type. */
import fc from "fast-check";
import type { KnownIds } from "./known-ids.ts";
import type { Operation, Parameter, Schema } from "./operations.ts";
import { broken, NASTY, valid } from "./values.ts";

export interface FuzzRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: Uint8Array<ArrayBuffer> | string | undefined;
}

/** Bodies that are no JSON, by what an operation may do with them. */
export type Files = readonly Uint8Array<ArrayBuffer>[];

const TEXT = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("x".repeat(3000), "%00", "-1", "0", "1e9", "null", "[]", "💥", "a,b", " "),
);
const PREFERENCES = [
  "wait=0",
  "wait=1",
  "wait=1, respond-async",
  "respond-async",
  "wait=-1",
  "wait=x",
  ";;",
];
const RANGES = [
  "bytes=0-",
  "bytes=0-9",
  "bytes=-5",
  "bytes=5-1",
  "bytes=999999999-",
  "bytes=-0",
  "bytes=0-1,3-4",
  "items=1-2",
  "bytes=99999999999999999999-",
];
const TYPES = [
  "",
  "text/plain",
  "application/xml",
  "application/json; charset=utf-16",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "multipart/form-data; boundary=",
  "application/octet-stream",
  "APPLICATION/JSON",
  "a/b/c",
];
const BODIES = [
  "",
  "{",
  "null",
  "[]",
  '"x"',
  "1e999",
  '{"a":1,"a":2}',
  "\ufeff{}",
  `{"a":"${"y".repeat(200_000)}"}`,
  "[".repeat(60_000),
];
/** More than any JSON may have. */
const LARGE = `{"a":"${"z".repeat(9 << 20)}"}`;

export function requestsOf(
  operation: Operation,
  ids: KnownIds,
  files: Files,
  wanted?: string[],
): fc.Arbitrary<FuzzRequest> {
  const { method, path, parameters, body } = operation;
  const faults = wanted ?? [
    "none",
    "none",
    "none",
    "parameters",
    "headers",
    ...(body ? ["body", "body", "type"] : []),
  ];
  return fc.constantFrom(...faults).chain((fault) =>
    fc
      .record({
        path: pathOf(path, parameters, ids, fault === "parameters"),
        headers: headersOf(parameters, ids, fault === "headers"),
        body: body ? bodyOf(body.content, ids, files, fault) : fc.constant(noBody),
      })
      .map(({ path: target, headers, body: { type, content } }) => ({
        method,
        path: target,
        headers: { ...headers, ...(type === undefined ? {} : { "Content-Type": type }) },
        body: content,
      })),
  );
}

function pathOf(
  template: string,
  parameters: Parameter[],
  ids: KnownIds,
  isBroken: boolean,
): fc.Arbitrary<string> {
  const value = (schema: Schema) =>
    isBroken ? fc.oneof(TEXT, valid(schema, ids)) : valid(schema, ids);
  const inPath = parameters.filter((each) => each.in === "path");
  const inQuery = parameters.filter((each) => each.in === "query");
  const segments = fc.tuple(...inPath.map(({ schema }) => value(schema).map(segment)));
  const query = fc.tuple(
    ...inQuery.map(({ schema, required }) =>
      fc.option(value(schema), { nil: undefined, freq: required ? 20 : 2 }),
    ),
  );
  const extra = fc.option(fc.tuple(TEXT, TEXT), { nil: undefined, freq: isBroken ? 1 : 1000 });
  return fc.tuple(segments, query, extra).map(([names, values, more]) => {
    let index = 0;
    const filled = template.replaceAll(/\{\w+\}/g, () => names[index++] ?? "x");
    const search = new URLSearchParams();
    inQuery.forEach(({ name }, at) => {
      const given = values[at];
      for (const each of Array.isArray(given) ? given : [given]) {
        if (each !== undefined) search.append(name, textOf(each));
      }
    });
    if (more && isBroken) search.append(wellFormed(more[0]), wellFormed(more[1]));
    const text = search.toString();
    return text ? `${filled}?${text}` : filled;
  });
}

const textOf = (value: unknown) =>
  wellFormed(typeof value === "string" ? value : JSON.stringify(value));
const wellFormed = (text: string) => text.toWellFormed();

/** One that addresses resolve to other paths is none. */
function segment(value: unknown): string {
  const text = encodeURIComponent(textOf(value));
  return /^(\.|%2e){0,2}$/i.test(text) ? "x" : text;
}

function headersOf(
  parameters: Parameter[],
  ids: KnownIds,
  isBroken: boolean,
): fc.Arbitrary<Record<string, string>> {
  const named = parameters
    .filter((each) => each.in === "header")
    .map(({ name, schema }) => {
      const known =
        name === "prefer"
          ? fc.constantFrom(...PREFERENCES)
          : name === "range"
            ? fc.constantFrom(...RANGES)
            : name === "idempotency-key"
              ? fc.uuid()
              : valid(schema, ids);
      const value = (isBroken ? fc.oneof(TEXT, known) : known).map((each) =>
        headerText(textOf(each)),
      );
      return [name, fc.option(value, { nil: undefined, freq: 2 })] as const;
    });
  const all = fc.record(Object.fromEntries(named)) as fc.Arbitrary<Record<string, string>>;
  return all.map((headers) =>
    Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
  );
}

/** What a header may hold on the wire: the service has to cope with the rest of Latin-1 too. */
const headerText = (text: string) => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "?");

interface Body {
  type: string | undefined;
  content: FuzzRequest["body"];
}
const noBody: Body = { type: undefined, content: undefined };

function bodyOf(
  content: Record<string, Schema>,
  ids: KnownIds,
  files: Files,
  fault: string,
): fc.Arbitrary<Body> {
  const described = Object.entries(content).map(([type, schema]) => {
    if (!/json/.test(type))
      return fc.constantFrom(...files).map((file) => ({ type, content: file }));
    const values = fault === "body" ? broken(valid(schema, ids)) : valid(schema, ids);
    return values.map((value): Body => ({ type, content: JSON.stringify(value) ?? "" }));
  });
  const asDescribed = fc.oneof(...described);
  if (fault === "type") {
    const types = fc.oneof(fc.constantFrom(...TYPES), TEXT.map(headerText));
    return fc.tuple(types, asDescribed).map(([type, body]) => ({ ...body, type }));
  }
  if (fault !== "body") return asDescribed;
  const raw = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.constantFrom(...BODIES, ...NASTY.map((each) => JSON.stringify(each))),
    },
    {
      weight: 5,
      arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
    },
    { weight: 1, arbitrary: fc.constant(LARGE) },
  );
  const types = fc.constantFrom(...Object.keys(content));
  return fc.oneof(
    { weight: 2, arbitrary: asDescribed },
    { weight: 1, arbitrary: fc.record({ type: types, content: raw }) },
  );
}
