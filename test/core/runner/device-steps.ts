/**
 * @file A process that runs a training step of each model on WebGPU (Dawn) and on the native CPU build. Beside what ONNX
 * Runtime logs on stderr, where it placed each node, a line there names the model that follows; stdout is JSON.
 */
import { fieldElements } from "../../../src/data/numbers.ts";
import { NarrowRows } from "../../../src/data/narrow-rows.ts";
import { MemoryRows } from "../../../src/data/rows.ts";
import { DataType } from "../../../src/onnx/data-type.ts";
import { modelBytes } from "../../../src/onnx/write-model.ts";
import { nativeRuntime } from "../../../src/runtime/native.ts";
import type { ResidentRuntime } from "../../../src/runtime/resident.ts";
import type { HostTensor } from "../../../src/runtime/runtime.ts";
import type { GpuRuntime } from "../../../src/runtime/webgpu.ts";
import { nodeGpuRuntime } from "../../../src/runtime/webgpu-node.ts";
import { entryValues } from "../../../src/train/layout.ts";
import { trainingSettings } from "../../../src/train/options.ts";
import { LABEL, LOSS } from "../../../src/train/step-plan.ts";
import { buildStep } from "../../../src/train/step-model.ts";
import { uniform } from "../runtime/models.ts";
import { DEVICE_MODELS, type DeviceModel } from "./device-models.ts";

export interface DeviceStep {
  loss: number;
  /** Largest difference to the CPU's, of that tensor's largest element, of the loss and all gradients. */
  error: number;
  /** Smallest of the gradients' largest elements that are not zero but for rounding (a key's bias has none). */
  least: number;
}

const ROWS = 3;
/** What rounding makes of a gradient that is zero stays below it. */
const ZERO = 1e-6;

async function stepOn(subject: DeviceModel, dtype: "int64" | "int32", gpu: GpuRuntime) {
  const { model, row, ids, label, classes } = subject;
  const positions = label.reduce((a, b) => a * b, ROWS);
  const numbers = Array.from({ length: positions }, (_, i) => (i * 7 + 1) % classes);
  // As a dataset has them: the job feeds a WebGPU step through the same rows.
  const stored = new MemoryRows(
    { rows: ROWS, fields: [{ name: "label", dtype, shape: label }] },
    new Map([
      [
        "label",
        new Uint8Array(
          dtype === "int64"
            ? BigInt64Array.from(numbers, BigInt).buffer
            : Int32Array.from(numbers).buffer,
        ),
      ],
    ]),
  );
  const rows = new NarrowRows(stored, new Set(["label"]));
  const [field] = rows.description.fields;
  if (!field) throw new Error("no field");
  const bytes = await rows.read("label", 0, ROWS);
  if (fieldElements(field.dtype, bytes).length !== positions) throw new Error("labels are lost");
  const size = row.reduce((a, b) => a * b, ROWS);
  const x =
    ids === undefined
      ? uniform(size, 1, 9)
      : BigInt64Array.from({ length: size }, (_, i) => BigInt((i * 3) % ids));
  const batch: Record<string, HostTensor> = {
    x: {
      dataType: ids === undefined ? DataType.float32 : DataType.int64,
      dims: [ROWS, ...row],
      bytes: new Uint8Array(x.buffer as ArrayBuffer),
    },
    [LABEL]: { dataType: DataType[field.dtype], dims: [ROWS, ...label], bytes },
  };
  const plan = await buildStep(
    model,
    trainingSettings({ batch_size: ROWS }),
    {
      fields: {
        x: { dtype: ids === undefined ? "float32" : "int64", shape: row },
        [LABEL]: field,
      },
    },
    { target: "webgpu" },
  );
  const vector = await plan.initial();
  const step = new Uint8Array(await modelBytes(plan.step));
  const outputs = async (runtime: ResidentRuntime) => {
    const session = await runtime.loadResident(step);
    const residents = runtime.allocate(plan.layout.entries);
    for (const entry of plan.layout.entries) {
      const values = entryValues(vector, entry).slice();
      residents.write(entry.name, 0, new Uint8Array(values.buffer));
    }
    const results = await session.run(batch, residents);
    const read = async (name: string) =>
      new Float32Array((await results.read(name))?.bytes.slice().buffer ?? new ArrayBuffer(0));
    const values = [await read(LOSS)];
    for (const { gradient } of plan.layout.entries) values.push(await read(gradient));
    results.dispose();
    residents.dispose();
    await session.release();
    return values;
  };
  const [there, here] = [await outputs(gpu.runtime), await outputs(nativeRuntime())];
  let error = 0;
  let least = Infinity;
  for (const [i, values] of here.entries()) {
    const most = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    if (most < ZERO) continue;
    least = Math.min(least, most);
    values.forEach((value, j) => {
      error = Math.max(error, Math.abs(value - (there[i]?.[j] ?? NaN)) / most);
    });
  }
  // The log says where the nodes of both graphs are.
  for (const graph of [step, new Uint8Array(await modelBytes(plan.evaluate))]) {
    const providers = [{ name: "webgpu", device: gpu.device } as never];
    const options = { executionProviders: providers, logSeverityLevel: 0 } as const;
    await (await gpu.ort.InferenceSession.create(graph, options)).release();
  }
  return { loss: there[0]?.[0] ?? NaN, error, least };
}

const gpu = await nodeGpuRuntime({ dawn: ["enable-dawn-features=disable_workgroup_init"] });
if (!gpu) throw new Error("there is no WebGPU adapter");
const found: Record<string, DeviceStep> = {};
for (const [name, subject] of Object.entries(DEVICE_MODELS)) {
  for (const dtype of ["int64", "int32"] as const) {
    const key = `${name}, labels of ${dtype}`;
    process.stderr.write(`\n== ${key}\n`);
    found[key] = await stepOn(subject, dtype, gpu);
  }
}
console.log(JSON.stringify(found));
process.exit(0);
