/** @file A graph up to the names of its nodes and inner values: equal fingerprints mean isomorphic graphs. */
import { createHash } from "node:crypto";
import type { Attribute, Graph, Node, Tensor } from "../../../../src/onnx/model.ts";
import { readAll } from "../../../../src/onnx/tensor-data.ts";

const hash = (...parts: (string | Uint8Array)[]): string => {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(`${part.length}:`).update(part);
  return digest.digest("hex").slice(0, 16);
};

const tensorHash = async (tensor: Tensor): Promise<string> =>
  hash("tensor", `${tensor.dataType} [${tensor.dims}]`, await readAll(tensor.data));

async function attributeHash(attribute: Attribute, outer: Map<string, string>): Promise<string> {
  const { name, type } = attribute;
  switch (type) {
    case "tensor":
      return hash(name, await tensorHash(attribute.value));
    case "graph":
      return hash(name, ...(await fingerprint(attribute.value, outer)));
    case "string":
      return hash(name, attribute.value);
    case "int":
    case "float":
    case "ints":
    case "floats":
      return hash(name, type, String(attribute.value));
    default:
      throw new TypeError(`an attribute of type ${type}`);
  }
}

/** One line per node, sorted: what it computes, from the graph's inputs and stored bytes on; then the outputs. */
export async function fingerprint(
  graph: Graph,
  outer: ReadonlyMap<string, string> = new Map(),
): Promise<string[]> {
  const values = new Map(outer);
  for (const [index, info] of graph.inputs.entries()) values.set(info.name, `input ${index}`);
  for (const [name, tensor] of graph.initializers) values.set(name, await tensorHash(tensor));
  const lines: string[] = [];
  const pending: Node[] = [...graph.nodes];
  while (pending.length > 0) {
    // Not every writer keeps nodes in order: take the first whose inputs are known.
    const at = pending.findIndex((node) => node.inputs.every((name) => !name || values.has(name)));
    const [node] = pending.splice(at, 1);
    if (at < 0 || !node) throw new Error(`no node can run: ${pending.map((left) => left.opType)}`);
    const inputs = node.inputs.map((name) => values.get(name) ?? "");
    while (inputs.at(-1) === "") inputs.pop();
    const attributes: string[] = [];
    for (const attribute of node.attributes)
      attributes.push(await attributeHash(attribute, values));
    const id = hash(node.domain, node.opType, ...attributes.toSorted(), "inputs", ...inputs);
    node.outputs.forEach((name, index) => values.set(name, `${id}.${index}`));
    lines.push(`${node.domain}${node.opType} ${id}`);
  }
  const outputs = graph.outputs.map(({ name }) => `output ${values.get(name)}`);
  return [...lines.toSorted(), ...outputs];
}
