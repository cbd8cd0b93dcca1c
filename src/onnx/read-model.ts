/**
 * @file ModelProto: from a file's bytes to a `Model` whose large weights are still in the file.
 */
import { sniffOther } from "./formats.ts";
import { OnnxError } from "./errors.ts";
import { COST } from "./heap-budget.ts";
import { type OpenExternal, resolveExternal } from "./external-data.ts";
import { DEFAULT_LIMITS, type ReadLimits } from "./limits.ts";
import type { FunctionDefinition, Model, OpsetImport } from "./model.ts";
import { readAttribute } from "./read-attribute.ts";
import { emptyGraph, GraphReader, normalDomain, readNode } from "./read-graph.ts";
import { UnknownFields } from "./unknown-fields.ts";
import { readValueInfo } from "./read-value-info.ts";
import { Reading } from "./reading.ts";
import { scanModel } from "./scan.ts";
import type { ByteSource } from "./source.ts";
import { Wire } from "./wire.ts";

export interface ReadOptions {
  /** Opens external data files by their location; without it, external data is an error. */
  external?: OpenExternal | undefined;
  limits?: Partial<ReadLimits> | undefined;
}

/**
 * Reads a model. Of the weights only small ones are read; the rest stay in `source` until a pass or the
 * writer asks for them, so `source` has to outlive the model.
 *
 * The wire, the limits and each tensor's dims against its data are checked here; what a valid graph is,
 * `checkModel` checks.
 * @throws OnnxError saying what was wrong and at which byte
 */
export async function readModel(source: ByteSource, options: ReadOptions = {}): Promise<Model> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const other = await sniffOther(source);
  if (other) throw new OnnxError("not_onnx", other);
  const skeleton = await scanModel(source, limits);
  const reading = new Reading(new Wire(skeleton, limits));
  const model = parseModel(reading);
  for (const { data, entries, name, offset } of reading.pendingVarints) {
    const have = await data.countEntries();
    if (have !== entries) {
      throw reading.invalid(
        `"${name}" has ${have} entries of data, its dims need ${entries}`,
        offset,
      );
    }
  }
  await resolveExternal(reading.pendingExternal, options.external);
  return model;
}

function parseModel(reading: Reading): Model {
  const { wire } = reading;
  const end = wire.size;
  const model: Model = {
    irVersion: 0,
    opsetImports: [],
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    docString: "",
    graph: emptyGraph(),
    metadata: [],
    functions: [],
  };
  const unknown = new UnknownFields(wire);
  let graph: GraphReader | undefined;
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        model.irVersion = wire.intField(end, "ir_version");
        break;
      case 2:
        model.producerName = wire.text(end);
        break;
      case 3:
        model.producerVersion = wire.text(end);
        break;
      case 4:
        model.domain = wire.text(end);
        break;
      case 5:
        model.modelVersion = wire.int64Field(end);
        break;
      case 6:
        model.docString = wire.text(end);
        break;
      case 7:
        graph ??= new GraphReader(reading, 0);
        graph.read(wire.length(end));
        break;
      case 8:
        model.opsetImports.push(readOpsetImport(reading, wire.length(end)));
        break;
      case 14:
        model.metadata.push(reading.stringEntry(end));
        break;
      case 20:
        unknown.keep(end);
        checkTraining(wire);
        break;
      case 25:
        model.functions.push(readFunction(reading, wire.length(end)));
        break;
      default:
        unknown.keep(end);
    }
  }
  if (!graph) throw new OnnxError("not_onnx", "the file is no ONNX model: it has no graph");
  model.graph = graph.finish();
  return Object.assign(model, unknown.property);
}

/** TrainingInfoProto is kept as it is; here its bytes are read once, to see that they can be. */
function checkTraining(wire: Wire): void {
  const { position: end, tagStart } = wire;
  const reading = new Reading(wire);
  wire.position = tagStart;
  wire.next(end);
  const stop = wire.length(end);
  while (wire.next(stop)) {
    if (wire.field === 1 || wire.field === 2) new GraphReader(reading, 0).read(wire.length(stop));
    else wire.skip(stop);
  }
}

function readOpsetImport(reading: Reading, end: number): OpsetImport {
  const { wire } = reading;
  wire.spend(COST.entry);
  const entry: OpsetImport = { domain: "", version: 0 };
  while (wire.next(end)) {
    if (wire.field === 1) entry.domain = normalDomain(wire.nameText(end));
    else if (wire.field === 2) entry.version = wire.intField(end, "opset version");
    else wire.skip(end);
  }
  return entry;
}

function readFunction(reading: Reading, end: number): FunctionDefinition {
  const { wire } = reading;
  wire.spend(COST.function);
  const definition: FunctionDefinition = {
    name: "",
    domain: "",
    overload: "",
    inputs: [],
    outputs: [],
    attributeNames: [],
    attributeDefaults: [],
    nodes: [],
    opsetImports: [],
    valueInfos: [],
    docString: "",
    metadata: [],
  };
  const unknown = new UnknownFields(wire);
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        definition.name = wire.nameText(end);
        break;
      case 4:
        wire.spend(COST.edge);
        definition.inputs.push(wire.nameText(end));
        break;
      case 5:
        wire.spend(COST.edge);
        definition.outputs.push(wire.nameText(end));
        break;
      case 6:
        wire.spend(COST.edge);
        definition.attributeNames.push(wire.nameText(end));
        break;
      case 7:
        definition.nodes.push(readNode(reading, wire.length(end), 1));
        break;
      case 8:
        definition.docString = wire.text(end);
        break;
      case 9:
        definition.opsetImports.push(readOpsetImport(reading, wire.length(end)));
        break;
      case 10:
        definition.domain = normalDomain(wire.nameText(end));
        break;
      case 11:
        definition.attributeDefaults.push(readAttribute(reading, wire.length(end), 1));
        break;
      case 12:
        definition.valueInfos.push(readValueInfo(reading, wire.length(end)));
        break;
      case 13:
        definition.overload = wire.nameText(end);
        break;
      case 14:
        definition.metadata.push(reading.stringEntry(end));
        break;
      default:
        unknown.keep(end);
    }
  }
  return Object.assign(definition, unknown.property);
}
