/** @file GraphProto and NodeProto. */
import { COST } from "./heap-budget.ts";
import type { Graph, Node, Tensor } from "./model.ts";
import { readAttribute } from "./read-attribute.ts";
import { readSparseTensor } from "./read-sparse-tensor.ts";
import { readTensor } from "./read-tensor.ts";
import { readValueInfo } from "./read-value-info.ts";
import type { Reading } from "./reading.ts";
import { UnknownFields } from "./unknown-fields.ts";

export function emptyGraph(): Graph {
  return {
    name: "",
    docString: "",
    nodes: [],
    initializers: new Map(),
    sparseInitializers: [],
    inputs: [],
    outputs: [],
    valueInfos: [],
    metadata: [],
  };
}

/** One graph, whose message may come in several pieces: protobuf merges them. */
export class GraphReader {
  readonly #reading: Reading;
  /** Graphs around it. */
  readonly #depth: number;
  readonly #graph = emptyGraph();
  readonly #unknown: UnknownFields;

  constructor(reading: Reading, depth: number) {
    const { wire } = reading;
    if (depth > wire.limits.maxDepth) {
      throw reading.limit(`graphs are nested deeper than ${wire.limits.maxDepth}`, wire.position);
    }
    this.#reading = reading;
    this.#depth = depth;
    this.#unknown = new UnknownFields(wire);
  }

  /** Reads the piece that ends at `end`. */
  read(end: number): void {
    const reading = this.#reading;
    const graph = this.#graph;
    const { wire } = reading;
    wire.spend(COST.graph);
    while (wire.next(end)) {
      switch (wire.field) {
        case 1:
          graph.nodes.push(readNode(reading, wire.length(end), this.#depth));
          break;
        case 2:
          graph.name = wire.text(end);
          break;
        case 5:
          addInitializer(reading, graph, readTensor(reading, wire.length(end)));
          break;
        case 10:
          graph.docString = wire.text(end);
          break;
        case 11:
          graph.inputs.push(readValueInfo(reading, wire.length(end)));
          break;
        case 12:
          graph.outputs.push(readValueInfo(reading, wire.length(end)));
          break;
        case 13:
          graph.valueInfos.push(readValueInfo(reading, wire.length(end)));
          break;
        case 15:
          reading.countValue();
          graph.sparseInitializers.push(readSparseTensor(reading, wire.length(end)));
          break;
        case 16:
          graph.metadata.push(reading.stringEntry(end));
          break;
        default:
          this.#unknown.keep(end);
      }
    }
  }

  finish(): Graph {
    return Object.assign(this.#graph, this.#unknown.property);
  }
}

function addInitializer(reading: Reading, graph: Graph, tensor: Tensor): void {
  reading.countValue();
  if (tensor.name === "") {
    throw reading.invalid(
      `an initializer of graph "${graph.name}" has no name`,
      reading.wire.position,
    );
  }
  if (graph.initializers.has(tensor.name)) {
    throw reading.invalid(`initializer "${tensor.name}" is defined twice`, reading.wire.position);
  }
  graph.initializers.set(tensor.name, tensor);
}

export function readNode(reading: Reading, end: number, depth: number): Node {
  const { wire } = reading;
  reading.countNode();
  const start = wire.position;
  const unknown = new UnknownFields(wire);
  const node: Node = {
    opType: "",
    domain: "",
    name: "",
    inputs: [],
    outputs: [],
    attributes: [],
    docString: "",
    overload: "",
    metadata: [],
  };
  while (wire.next(end)) {
    switch (wire.field) {
      case 1:
        wire.spend(COST.edge);
        node.inputs.push(wire.nameText(end));
        break;
      case 2:
        wire.spend(COST.edge);
        node.outputs.push(wire.nameText(end));
        break;
      case 3:
        node.name = wire.nameText(end);
        break;
      case 4:
        node.opType = reading.intern(wire.nameText(end));
        break;
      case 5:
        node.attributes.push(readAttribute(reading, wire.length(end), depth));
        break;
      case 6:
        node.docString = wire.text(end);
        break;
      case 7:
        node.domain = normalDomain(reading.intern(wire.nameText(end)));
        break;
      case 8:
        node.overload = wire.nameText(end);
        break;
      case 9:
        node.metadata.push(reading.stringEntry(end));
        break;
      default:
        unknown.keep(end);
    }
  }
  if (node.opType === "") throw reading.invalid(`node "${node.name}" has no op_type`, start);
  Object.assign(node, unknown.property);
  const seen = new Set<string>();
  for (const { name } of node.attributes) {
    if (seen.has(name)) {
      throw reading.invalid(
        `${node.opType} "${node.name}" has the attribute "${name}" twice`,
        start,
      );
    }
    seen.add(name);
  }
  return node;
}

/** `ai.onnx` is the long form of the default domain. */
export function normalDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}
