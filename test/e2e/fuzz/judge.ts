/** @file Whether an answer is one that the description names: its status, its type, its body by the schema. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { description, type Operation } from "./operations.ts";

const BASE = "hone:/openapi";
// `example` and `discriminator` are no keywords of JSON Schema; formats say what the field is for.
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(description, BASE);
/** 503 too: a service that is well has no reason for it. */
const MAX_STATUS = 499;

export interface Seen {
  status: number;
  headers: Headers;
  /** `undefined` for one that goes on: events. */
  body: Uint8Array | undefined;
}

/** What is wrong with the answer, in the words of a finding; none for a right one. */
export function faultsOf(operation: Operation, { status, headers, body }: Seen): string[] {
  const described = operation.answers.get(status);
  const text = body && new TextDecoder().decode(body.subarray(0, 300_000));
  if (status > MAX_STATUS) return [`answers ${status}: ${text?.slice(0, 300)}`];
  if (!described) return [`answers ${status}, which is not described: ${text?.slice(0, 300)}`];
  const missing = described.headers.filter((name) => !headers.has(name));
  if (missing.length > 0) return [`answers ${status} without ${missing.join(", ")}`];
  const type = headers.get("Content-Type")?.replace(/;.*/, "").trim();
  const types = Object.keys(described.content);
  if (types.length === 0) {
    return body?.length ? [`answers ${status} with a body of type ${type}`] : [];
  }
  if (type === undefined || !types.includes(type)) {
    return [`answers ${status} as ${type}, described is ${types.join(", ")}`];
  }
  if (!/json/.test(type) || text === undefined) return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [`answers ${status} with what is no JSON: ${text.slice(0, 100)}`];
  }
  const validate = ajv.getSchema(`${BASE}${described.content[type]?.pointer}`);
  if (!validate) throw new Error(`fuzz: no schema for ${operation.id} ${status} ${type}`);
  const faults: string[] = [];
  if (!validate(value)) {
    const [first] = validate.errors ?? [];
    faults.push(`answers ${status} with ${first?.instancePath} that ${first?.message}`);
  }
  if (type === "application/problem+json" && (value as { status: unknown }).status !== status) {
    faults.push(`answers ${status} with a problem of another status`);
  }
  return faults;
}
