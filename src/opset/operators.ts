/**
 * @file Which operators exist in which opset: ONNX's own domains by table, other domains unchecked.
 */
import { HISTORIES, IR_OF_OPSET, NEWEST_IR, NEWEST_OPSET } from "./operator-table.ts";

/** The newest opset of ai.onnx that the table knows. */
export const MAX_OPSET: number = NEWEST_OPSET[""] ?? 0;

/** The newest IR version that the table knows. */
export const MAX_IR: number = NEWEST_IR;

/** One version of an operator's definition. */
export interface OperatorVersion {
  /** The opset that introduced or changed it. */
  since: number;
  minInputs: number;
  /** `Infinity` for variadic operators. */
  maxInputs: number;
  minOutputs: number;
  maxOutputs: number;
  deprecated: boolean;
}

export type OperatorStatus =
  /** Defined in this opset. */
  | "known"
  /** Never or no longer in the standard, but loaded by ONNX Runtime (or once by Caffe2) at this opset. */
  | "experimental"
  /** Introduced by a later opset. */
  | "future"
  /** Was there in an earlier opset, is gone in this one. */
  | "removed"
  | "unknown"
  /** Of a domain that the table does not describe: nothing can be said. */
  | "foreign";

/**
 * Operators of ai.onnx outside the standard, with the last opset in which models may use them.
 * The experimental operators of ONNX 1.0-1.2 left with opset 10; ONNX Runtime keeps some of them
 * until then, and its own layer norms in ai.onnx at any opset (LayerNormalization until the standard has it).
 */
const EXPERIMENTAL: ReadonlyMap<string, number> = new Map([
  ...["ATen", "Affine", "Caffe2ConvTranspose", "ConstantFill", "Crop", "DynamicSlice", "FC"].map(
    until9,
  ),
  ...["GRUUnit", "GivenTensorFill", "ImageScaler", "LoopIndexTensor"].map(until9),
  ...["ParametricSoftplus", "Scale", "ScaledTanh", "SpatialBN", "ThresholdedRelu"].map(until9),
  ["MeanVarianceNormalization", 8],
  ["LayerNormalization", 16],
  ["SimplifiedLayerNormalization", Infinity],
]);

function until9(opType: string): [string, number] {
  return [opType, 9];
}

const parsed = new Map<string, Map<string, OperatorVersion[]>>();

/** The operators of one of ONNX's domains, each with its versions in ascending order; empty for other domains. */
export function operatorHistories(domain: string): ReadonlyMap<string, readonly OperatorVersion[]> {
  let histories = parsed.get(domain);
  if (!histories) {
    const text = Object.hasOwn(HISTORIES, domain) ? (HISTORIES[domain] ?? "") : "";
    histories = new Map(text.split("\n").filter(Boolean).map(parseHistory));
    parsed.set(domain, histories);
  }
  return histories;
}

function parseHistory(line: string): [string, OperatorVersion[]] {
  const [opType = "", ...words] = line.split(" ");
  let inputs = "";
  let outputs = "";
  const versions = words.map((word) => {
    const deprecated = word.endsWith("!");
    const [since = "", ...counts] = (deprecated ? word.slice(0, -1) : word).split("/");
    if (counts.length === 2) [inputs = "", outputs = ""] = counts;
    const [minInputs, maxInputs] = parseSpan(inputs);
    const [minOutputs, maxOutputs] = parseSpan(outputs);
    return { since: Number(since), minInputs, maxInputs, minOutputs, maxOutputs, deprecated };
  });
  return [opType, versions];
}

function parseSpan(span: string): [number, number] {
  const [low = "", high = low] = span.split("-");
  return [Number(low), high === "*" ? Infinity : Number(high)];
}

/** True for the domains that the table describes; operators of all others are accepted unseen. */
export function domainKnown(domain: string): boolean {
  return Object.hasOwn(HISTORIES, domain);
}

/** The newest opset of a domain, or `undefined` for a domain that the table does not describe. */
export function maxOpset(domain: string): number | undefined {
  return Object.hasOwn(NEWEST_OPSET, domain) ? NEWEST_OPSET[domain] : undefined;
}

/** The definition in force when a model imports version `imported` of the domain, if the standard has one. */
export function operatorSchema(
  domain: string,
  opType: string,
  imported: number,
): OperatorVersion | undefined {
  return operatorHistories(domain)
    .get(opType)
    ?.findLast((version) => version.since <= imported);
}

/** The opset that brought the definition in force (ONNX's `since_version`), if the standard has one. */
export function operatorVersion(
  domain: string,
  opType: string,
  imported: number,
): number | undefined {
  return operatorSchema(domain, opType, imported)?.since;
}

/** What the operator is to a model that imports version `imported` of the domain. */
export function operatorStatus(domain: string, opType: string, imported: number): OperatorStatus {
  if (!domainKnown(domain)) return "foreign";
  const history = operatorHistories(domain).get(opType);
  const schema = operatorSchema(domain, opType, imported);
  // GroupNormalization 18 is marked deprecated only because version 21 corrected it: what was
  // deprecated from its first version on, and came back, still loads.
  if (schema && !(schema.deprecated && schema === history?.at(-1))) return "known";
  const lastExperimental = domain === "" ? EXPERIMENTAL.get(opType) : undefined;
  if (lastExperimental !== undefined && imported <= lastExperimental) return "experimental";
  if (schema || lastExperimental !== undefined) return "removed";
  return history ? "future" : "unknown";
}

/** True when a model that imports version `imported` of the domain may use the operator. */
export function operatorKnown(domain: string, opType: string, imported: number): boolean {
  const status = operatorStatus(domain, opType, imported);
  return status === "known" || status === "experimental" || status === "foreign";
}

/** The least IR version that a model of this opset of ai.onnx must declare: that of the release which brought it. */
export function minIrVersion(opset: number): number {
  return IR_OF_OPSET[opset - 1] ?? MAX_IR;
}
