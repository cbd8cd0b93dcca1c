/**
 * @file Binding the data's fields to the model's inputs: types are cast and rows reshaped in the graph, so
 * that a batch is fed as it is stored.
 */
import { makeInt, subgraphs } from "../graph/attributes.ts";
import { makeInt64, makeNode } from "../graph/build.ts";
import { nearestNames } from "../graph/selection.ts";
import type { Names } from "../graph/scope.ts";
import { DataType, dataTypeName, elementCount } from "../onnx/data-type.ts";
import type { Dimension, Graph, Model, Node, ValueInfo } from "../onnx/model.ts";
import { LABEL, type RowType, TEACHER, type TrainingData } from "./step-plan.ts";

/** The symbol of the batch in all shapes. */
export const BATCH = "hone.batch";

/**
 * Declares the model's inputs as the data has them: [batch, …row], in the data's element types. Sizes
 * that the model leaves open become the data's. Labels and a teacher's outputs become inputs too.
 *
 * @throws RangeError when the model has no such input, or the shapes do not fit
 */
export function bindFields(model: Model, names: Names, { fields }: TrainingData): void {
  const { graph } = model;
  const casts: Node[] = [];
  for (const [name, row] of Object.entries(fields)) {
    if (name === LABEL || name === TEACHER) graph.inputs.push(inputInfo(name, row));
    else casts.push(...bindInput(graph, names, name, row));
  }
  graph.nodes.unshift(...casts);
}

function inputInfo(name: string, { dtype, shape }: RowType): ValueInfo {
  return {
    name,
    type: { kind: "tensor", elementType: DataType[dtype], shape: [BATCH, ...shape] },
  };
}

function bindInput(graph: Graph, names: Names, name: string, row: RowType): Node[] {
  const info = findInput(graph, name);
  // A default that the data takes the place of.
  graph.initializers.delete(name);
  const { elementType, shape } = tensorType(info);
  const fed = DataType[row.dtype];
  const wanted = wantedShape(name, shape, row);
  const sameShape = wanted.length === row.shape.length + 1;
  if (fed === elementType && sameShape) {
    info.type = { kind: "tensor", elementType, shape: wanted };
    return [];
  }
  const nodes: Node[] = [];
  let value = name;
  // The model's nodes read the converted value under a new name; the input keeps the model's.
  const converted = names.fresh(`${name}.bound`);
  if (!sameShape) {
    const target = names.fresh(`${name}.row`);
    const dims = wanted.map((dim) => (typeof dim === "number" ? dim : -1));
    graph.initializers.set(target, makeInt64(target, dims));
    const reshaped = fed === elementType ? converted : names.fresh(`${name}.reshaped`);
    nodes.push(makeNode("Reshape", [value, target], [reshaped], { name: reshaped }));
    value = reshaped;
  }
  if (fed !== elementType) {
    const attributes = [makeInt("to", elementType)];
    nodes.push(makeNode("Cast", [value], [converted], { name: converted, attributes }));
  }
  renameReads(graph, name, converted);
  info.type = { kind: "tensor", elementType: fed, shape: [BATCH, ...row.shape] };
  graph.valueInfos.push({
    name: converted,
    type: { kind: "tensor", elementType, shape: wanted },
  });
  return nodes;
}

function findInput(graph: Graph, name: string): ValueInfo {
  const info = graph.inputs.find((input) => input.name === name);
  if (info) return info;
  const inputs = graph.inputs.map((input) => input.name);
  const near = nearestNames(name, inputs, 3).map((candidate) => `"${candidate}"`);
  throw new RangeError(`train: the model has no input "${name}"; nearest: ${near.join(", ")}`);
}

function tensorType(info: ValueInfo): { elementType: number; shape: Dimension[] | undefined } {
  if (info.type?.kind === "tensor") return info.type;
  throw new RangeError(`train: the model's input "${info.name}" is no tensor`);
}

/**
 * The shape in which the model's nodes see the field: the declared one with the data's sizes where it
 * leaves them open; the row's own where it has the same rank; else the declared one, if it is as many elements.
 */
function wantedShape(
  name: string,
  declared: readonly Dimension[] | undefined,
  row: RowType,
): Dimension[] {
  const own = [BATCH, ...row.shape];
  if (!declared) return own;
  checkBatchFirst(name, declared);
  const fits =
    declared.length === own.length &&
    row.shape.every((size, i) => typeof declared[i + 1] !== "number" || declared[i + 1] === size);
  if (fits) return own;
  const sizes = declared.slice(1);
  const known = sizes.every((size) => typeof size === "number");
  if (known && declared.length > 0 && elementCount(sizes) === elementCount(row.shape)) {
    return [BATCH, ...sizes];
  }
  const shape = declared.map((dim) => dim ?? "?").join(", ");
  throw new RangeError(
    `train: the model's input "${name}" is [${shape}], a row of the data ${dataTypeName(DataType[row.dtype])} [${row.shape.join(", ")}]`,
  );
}

/** A model whose first axis has a fixed size while another is open has its batch there (LSTM's [T, N, C]). */
function checkBatchFirst(name: string, [first, ...others]: readonly Dimension[]): void {
  const isFixed = typeof first === "number" && first !== 1;
  if (!isFixed || others.every((size) => typeof size === "number")) return;
  const shape = [first, ...others].map((dim) => dim ?? "?").join(", ");
  throw new RangeError(
    `train: the model's input "${name}" is [${shape}]: training needs the batch as the first axis`,
  );
}

/** In subgraphs too: a name means the same there. */
function renameReads(graph: Graph, from: string, to: string): void {
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map((name) => (name === from ? to : name));
    for (const body of subgraphs(node)) renameReads(body, from, to);
  }
}
