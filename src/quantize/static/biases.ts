/** @file Biases as int32 codes with the scale of the product that they are added to, zero point 0. */
import { makeInt } from "../../graph/attributes.ts";
import { makeFloat32, makeNode, makeTensor } from "../../graph/build.ts";
import { sqnrDb } from "../../graph/report.ts";
import { nodeLabel } from "../../graph/weights.ts";
import { DataType } from "../../onnx/data-type.ts";
import { readAll } from "../../onnx/tensor-data.ts";
import { biasValues } from "./constants.ts";
import type { Insertion } from "./insert.ts";
import type { BiasMark } from "./marks.ts";
import { floatInitializer, keepFloat, type StaticPass } from "./pass.ts";

const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };

export async function quantizeBiases(pass: StaticPass, insertion: Insertion): Promise<void> {
  for (const [name, bias] of pass.marks.biases) {
    // A constant that is read elsewhere too has codes of its own.
    if (!insertion.done.has(name)) await quantizeBias(pass, insertion, name, bias);
  }
}

async function quantizeBias(
  pass: StaticPass,
  insertion: Insertion,
  name: string,
  { node, input, weight, beta }: BiasMark,
): Promise<void> {
  const { graph, report } = pass;
  const { initializers } = graph.graph;
  const tensor = floatInitializer(pass, name);
  const inputScales = await scalesOf(pass, insertion, input);
  const weightScales = await scalesOf(pass, insertion, weight);
  if (!tensor) return;
  if (!inputScales || !weightScales) {
    return keepFloat(
      pass,
      name,
      `${nodeLabel(node)} has no scale for ${inputScales ? "its weight" : "its input"}`,
    );
  }
  const channels = weightScales.length;
  const fits = channels === 1 || (tensor.dims.length === 1 && tensor.dims[0] === channels);
  if (!fits || inputScales.length !== 1) {
    return keepFloat(pass, name, `[${tensor.dims}] numbers do not go with ${channels} scales`);
  }
  const values = await biasValues(pass, name);
  if (values.some((value) => !Number.isFinite(value)))
    return keepFloat(pass, name, "holds NaN or Inf");
  const scales = weightScales.map((scale) => Math.fround(scale * (inputScales[0] ?? 1)) * beta);
  const codes = new Int32Array(values.length);
  let [signal, error] = [0, 0];
  for (const [i, value] of values.entries()) {
    const scale = scales[channels === 1 ? 0 : i] ?? 1;
    codes[i] = Math.min(INT32.max, Math.max(INT32.min, roundHalfEven(value / scale)));
    signal += value * value;
    error += (value - (codes[i] ?? 0) * scale) ** 2;
  }
  const own = graph.names.fresh(`${name}_quantized`);
  const scale = graph.names.fresh(`${own}_scale`);
  const zeroPoint = graph.names.fresh(`${own}_zero_point`);
  initializers.delete(name);
  graph.graph.inputs = graph.graph.inputs.filter((info) => info.name !== name);
  initializers.set(own, makeTensor(own, DataType.int32, tensor.dims, bytesOf(codes)));
  initializers.set(scale, makeFloat32(scale, [...scales]));
  const zeros = new Int32Array(channels);
  const zeroDims = channels > 1 ? [channels] : [];
  initializers.set(zeroPoint, makeTensor(zeroPoint, DataType.int32, zeroDims, bytesOf(zeros)));
  graph.add(
    makeNode("DequantizeLinear", [own, scale, zeroPoint], [name], {
      name: graph.names.fresh(`${name}_DequantizeLinear`),
      attributes: channels > 1 ? [makeInt("axis", 0)] : [],
    }),
  );
  report.changed.push({
    name,
    node: nodeLabel(node),
    method: channels > 1 ? "int32 per channel (axis 0)" : "int32 per tensor",
    dims: [...tensor.dims],
    from: "float32",
    to: "int32",
    bytesBefore: values.length * 4,
    bytesAfter: values.length * 4 + channels * 8,
    sqnrDb: sqnrDb(signal, error),
  });
}

/** The scales of a value that was quantized here, or that came with codes. */
async function scalesOf(
  { graph }: StaticPass,
  insertion: Insertion,
  name: string,
): Promise<Float32Array | undefined> {
  const producer = graph.producer(name);
  const before = producer?.opType === "DequantizeLinear" ? producer.inputs[1] : undefined;
  const held = insertion.done.get(name)?.scale ?? before;
  const tensor = held === undefined ? undefined : graph.graph.initializers.get(held);
  if (tensor?.dataType !== DataType.float32) return undefined;
  return new Float32Array(new Uint8Array(await readAll(tensor.data)).buffer);
}

const bytesOf = (codes: Int32Array): Uint8Array =>
  new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength);

/** |x| < 2^51; larger ones are whole already, and clipped. */
function roundHalfEven(x: number): number {
  const shift = 1.5 * 2 ** 52;
  return Math.abs(x) < 2 ** 51 ? x + shift - shift : x;
}
