/** @file The operand types of an operator: which share a type, which may be float32 and float16. */
import { SIGNATURE_TABLE } from "./signature-table.ts";

/** One input or output of an operator's schema. */
export interface Formal {
  /** The type variable's letter; operands with the same letter have one type. */
  variable: string | undefined;
  /** The element type of a formal that is always the same tensor type. */
  elementType: number | undefined;
  /** The last formal may stand for many operands: all of one type, or each of its own. */
  variadic: "no" | "same" | "each";
}

export interface Signature {
  inputs: Formal[];
  outputs: Formal[];
  /** Type variables that may be float32. */
  float: ReadonlySet<string>;
  /** Type variables that may be float32 and float16. */
  half: ReadonlySet<string>;
}

/** By domain, operator and opset: graphs have few kinds of nodes and many nodes. */
const found = new Map<string, Signature | undefined>();

/**
 * The signature of an operator in an opset, or `undefined` where ONNX Runtime has none (custom
 * operators, unknown domains, deprecated versions).
 */
export function signatureOf(domain: string, opType: string, opset: number): Signature | undefined {
  const operators = Object.hasOwn(SIGNATURE_TABLE, domain) ? SIGNATURE_TABLE[domain] : undefined;
  if (!operators || !Object.hasOwn(operators, opType)) return undefined;
  const key = `${domain}:${opType}:${opset}`;
  if (!found.has(key)) found.set(key, parseVersion(operators[opType] ?? "", opset));
  return found.get(key);
}

/** Reads the newest version up to the opset. */
function parseVersion(versions: string, opset: number): Signature | undefined {
  let text = "";
  for (const version of versions.split("|")) {
    const colon = version.indexOf(":");
    if (Number(version.slice(0, colon)) <= opset) text = version.slice(colon + 1);
  }
  return text === "" ? undefined : parseSignature(text);
}

/** Every op type that the table describes. */
export function knownOpTypes(): string[] {
  return Object.values(SIGNATURE_TABLE).flatMap(Object.keys);
}

/** The formal that describes the operand at an index; the last one stands for a variadic tail. */
export function formalAt(formals: readonly Formal[], index: number): Formal | undefined {
  const last = formals.at(-1);
  return formals[index] ?? (last && last.variadic !== "no" ? last : undefined);
}

function parseSignature(text: string): Signature {
  const arrow = text.indexOf(">");
  const equals = text.lastIndexOf("=");
  const variables = words(text.slice(equals + 1));
  return {
    inputs: words(text.slice(0, arrow)).map(parseFormal),
    outputs: words(text.slice(arrow + 1, equals)).map(parseFormal),
    float: new Set(variables.map((variable) => variable.slice(0, 1))),
    half: new Set(
      variables
        .filter((variable) => variable.endsWith("h"))
        .map((variable) => variable.slice(0, 1)),
    ),
  };
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

function parseFormal(word: string): Formal {
  const variadic = word.endsWith("*") ? "same" : word.endsWith("~") ? "each" : "no";
  const code = variadic === "no" ? word : word.slice(0, -1);
  const elementType = /^\d+$/.test(code) ? Number(code) : undefined;
  // "S", a sequence, map or optional, has neither a variable nor an element type.
  const variable = elementType === undefined && code !== "S" ? code : undefined;
  return { variable, elementType, variadic };
}
