/**
 * @file Gather as com.microsoft GatherBlockQuantized, in its two forms.
 *
 * 4-bit types: codes of the table's own dims, what ONNX Runtime's quantizer makes. Packed uint8: rows of
 * bytes [rows, cols·bits/8], for 2 and 8 bits, and for a table that MatMulNBits reads too: its codes
 * [N, blocks, bytes] are the same bytes where rows are whole blocks, and a Reshape gives them the dims.
 */
import { intAttribute, makeInt } from "../../graph/attributes.ts";
import { makeInt64, makeNode } from "../../graph/build.ts";
import type { Weight, WeightUse } from "../../graph/weights.ts";
import type { Attribute, Node } from "../../onnx/model.ts";
import type { BlockPlan } from "./blocks.ts";
import { channelAxis } from "./channels.ts";
import type { BlockNames } from "./matmul-nodes.ts";
import type { BlockSettings } from "./options.ts";
import { rowsFit } from "./row-blocks.ts";

/** @returns why the Gather cannot take blocks, or `undefined` when it can */
export function unfitGather(
  weight: Weight,
  use: WeightUse,
  settings: BlockSettings,
): string | undefined {
  const { dims } = weight.tensor;
  if (use.input !== 0) return "it is read as indices";
  if (settings.algorithm !== "rtn") return `Gather has no form for ${settings.algorithm}`;
  if (use.permutation) return "Gather reads it transposed";
  if (channelAxis(use.node, 0, dims.length) === dims.length - 1)
    return "Gather takes parts of its rows";
  if (!rowsFit(dims.at(-1) ?? 0)) return "the rows are too long";
  return dims.includes(0) ? "it is empty" : undefined;
}

/** The same for the form in packed bytes. */
export function unfitPackedGather(
  weight: Weight,
  gathers: readonly WeightUse[],
  { blockSize }: BlockSettings,
): string | undefined {
  const { dims } = weight.tensor;
  if (dims.length !== 2) return "Gather of packed bytes takes matrices";
  if ((dims[1] ?? 0) % blockSize !== 0)
    return `rows of ${dims[1]} are not whole blocks of ${blockSize}`;
  const wrong = gathers.find(({ node }) => channelAxis(node, 0, 2) !== 0);
  return wrong && "Gather of packed bytes takes rows";
}

/** Plans the nodes for a table in 4-bit types. */
export function gatherNodes(
  plan: BlockPlan,
  gathers: readonly WeightUse[],
  names: BlockNames,
): void {
  const axis = plan.weight.tensor.dims.length - 1;
  for (const use of gathers) {
    plan.nodes.set(use, [
      gatherBlockQuantized(plan, use.node, names, [
        makeInt("gather_axis", intAttribute(use.node, "axis", 0)),
        makeInt("quantize_axis", axis),
        makeInt("block_size", plan.settings.blockSize),
      ]),
    ]);
  }
}

/** Plans the nodes for a table in packed bytes [rows, blocks, bytes]. */
export function packedGatherNodes(
  plan: BlockPlan,
  gathers: readonly WeightUse[],
  names: BlockNames,
): void {
  if (gathers.length === 0) return;
  const { pass, weight, settings } = plan;
  const [rows = 0, cols = 0] = weight.tensor.dims;
  const dims = [rows, (cols * settings.bits) / 8];
  const packed = plan.tensors.find((tensor) => tensor.name === names.codes);
  const isShared = plan.nodes.size > 0;
  const shape = isShared
    ? makeInt64(pass.names.fresh(`${names.codes}_rows_shape`), dims)
    : undefined;
  if (shape) plan.tensors.push(shape);
  else if (packed) packed.dims = dims;
  for (const use of gathers) {
    const nodes: Node[] = [];
    let { codes } = names;
    if (shape) {
      codes = pass.names.fresh(`${names.codes}_rows`);
      nodes.push(
        makeNode("Reshape", [names.codes, shape.name], [codes], { name: `${codes}_Reshape` }),
      );
    }
    nodes.push(
      gatherBlockQuantized(plan, use.node, { ...names, codes }, [
        makeInt("gather_axis", 0),
        makeInt("quantize_axis", 1),
        makeInt("block_size", settings.blockSize),
        makeInt("bits", settings.bits),
      ]),
    );
    plan.nodes.set(use, nodes);
  }
}

function gatherBlockQuantized(
  { pass, settings }: BlockPlan,
  node: Node,
  { codes, scales, zeroPoints }: BlockNames,
  attributes: Attribute[],
): Node {
  const inputs = [codes, node.inputs[1] ?? "", scales];
  if (zeroPoints) inputs.push(zeroPoints);
  return makeNode("GatherBlockQuantized", inputs, [...node.outputs], {
    name: node.name ? pass.names.fresh(`${node.name}_Q${settings.bits}`) : "",
    domain: "com.microsoft",
    attributes,
  });
}
