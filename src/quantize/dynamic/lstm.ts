/**
 * @file LSTM with constant weights: DynamicQuantizeLSTM (com.microsoft).
 *
 * W [directions, 4·hidden, input] and R [directions, 4·hidden, hidden] become int8 with the last two axes
 * swapped; one scale per direction, or per direction and gate row when per channel.
 */
import { intAttribute } from "../../graph/attributes.ts";
import { makeNode } from "../../graph/build.ts";
import { type ConstantValue, resolveConstant } from "../../graph/constants.ts";
import { sqnrDb, type WeightChange } from "../../graph/report.ts";
import { nodeLabel } from "../../graph/weights.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { Node } from "../../onnx/model.ts";
import { affineCodes } from "../affine-weight.ts";
import type { GraphRewrite } from "./graph-rewrite.ts";
import type { OpRewrite } from "./op-rewrite.ts";
import { type DynamicPass, keepFloat, storeWeight } from "./pass.ts";
import type { QuantizedValue } from "./quantized-value.ts";
import type { PreparedWeight, WeightStore } from "./weight-store.ts";

/** Inputs of LSTM after W and R: B, sequence_lens, initial_h, initial_c, P. */
const OTHER_INPUTS = [3, 4, 5, 6, 7];

export const quantizeLstm: OpRewrite = async (pass, weights, graph, node) => {
  const found = [1, 2].map((input) => resolveConstant(graph.scope, node.inputs[input] ?? ""));
  const [w, r] = found;
  if (!w || !r) return false;
  const reason = cannot(node, [w, r]);
  if (reason) {
    for (const { storedName, tensor } of [w, r]) {
      if (tensor.dataType === DataType.float32) keepFloat(pass, storedName, reason);
    }
    return false;
  }
  const input = await prepareGates(pass, weights, graph, node, w);
  const recurrent = input && (await prepareGates(pass, weights, graph, node, r));
  if (!recurrent) return false;
  const others = OTHER_INPUTS.map((index) => node.inputs[index] ?? "");
  for (const name of [node.inputs[0] ?? "", ...others]) if (name !== "") graph.dequantize(name);
  const [W, R] = [input.commit(), recurrent.commit()];
  const scales = [W.scale, W.zeroPoint, R.scale, R.zeroPoint];
  graph.push(
    makeNode(
      "DynamicQuantizeLSTM",
      [node.inputs[0] ?? "", W.codes, R.codes, ...others, ...scales],
      node.outputs,
      {
        name: node.name === "" ? "" : `${node.name}_quant`,
        domain: "com.microsoft",
        attributes: node.attributes.filter(({ name }) => name !== "layout"),
      },
    ),
  );
  return true;
};

function cannot(node: Node, constants: readonly ConstantValue[]): string | undefined {
  if (intAttribute(node, "layout", 0) !== 0) return "DynamicQuantizeLSTM has no batch-first layout";
  for (const { tensor, permutation } of constants) {
    if (tensor.dataType !== DataType.float32) return "DynamicQuantizeLSTM is for float32";
    if (tensor.dims.length !== 3) return `LSTM weights of rank ${tensor.dims.length}`;
    if (permutation) return "LSTM weights behind a Transpose";
  }
  return undefined;
}

async function prepareGates(
  pass: DynamicPass,
  weights: WeightStore,
  graph: GraphRewrite,
  node: Node,
  constant: ConstantValue,
): Promise<PreparedWeight | undefined> {
  const shared = weights.gates.get(constant.holder ?? constant.tensor);
  if (shared) return { commit: () => shared };
  const { tensor, storedName } = constant;
  const [directions = 0, rows = 0, cols = 0] = tensor.dims;
  const count = directions * rows * cols;
  const { perChannel, reduceRange } = pass.settings;
  const channels = perChannel ? directions * rows : directions;
  const bytesAfter = count + 5 * channels;
  if (bytesAfter >= count * 4) {
    return keepFloat(pass, storedName, `${count * 4} bytes would become ${bytesAfter}`);
  }
  const change: WeightChange = {
    name: storedName,
    node: nodeLabel(node),
    method: perChannel ? "int8 per channel (axes 0 and 1)" : "int8 per direction",
    dims: [...tensor.dims],
    from: "float32",
    to: "int8",
    bytesBefore: count * 4,
    bytesAfter,
    sqnrDb: null,
  };
  const layout = {
    channels,
    inner: channels === 0 ? 0 : count / channels,
    count,
    reorder: { kind: "transpose", batches: directions, rows, cols },
  } as const;
  const onError = (signal: number, error: number) => (change.sqnrDb = sqnrDb(signal, error));
  const { check } = pass;
  const options = { type: "int8", symmetric: true, reduceRange, check, onError } as const;
  const coded = await affineCodes(tensor, layout, options, pass.arena);
  if (!coded)
    return keepFloat(pass, storedName, "holds NaN or Inf, or its range overflows float32");
  return {
    commit: () => {
      const value: QuantizedValue = {
        codes: pass.names.fresh(`${storedName}_quantized`),
        scale: pass.names.fresh(`${storedName}_scale`),
        zeroPoint: pass.names.fresh(`${storedName}_zero_point`),
        type: "int8",
        floatType: DataType.float32,
        hasFloat: true,
        constant: true,
      };
      const home = graph.of(constant.scope) ?? graph;
      const scaleDims = perChannel ? [directions, rows] : [directions];
      storeWeight(home, value, { dims: [directions, cols, rows], ...coded }, scaleDims);
      weights.commitGates(constant, value, change);
      return value;
    },
  };
}
