/**
 * @file File-to-file compression against the Python tools where python3 has them: 430 MB of transformer,
 * 100 MB of convolutions, 2.5 GB with external data.
 *
 * `npm run bench -- compress [transformer] [conv] [large]` (all three when none is named). The large model
 * takes 2.5 GB of disk, the results as much again, and the Python tools up to 10 GB of memory; it is removed afterwards.
 * Medians of CPU seconds; `floor_s` is what starting Node, reading the model and writing the result alone take. The last line on stdout is JSON.
 */
import { convNet, RESNET_50 } from "./conv-net.ts";
import { type Case, runPairs } from "./file-pairs.ts";
import { benchModel, removeModel } from "./models.ts";
import { LARGE, MEDIUM, transformer } from "./transformer.ts";

const DYNAMIC = {
  task: "dynamic",
  operation: "quantize",
  options: { method: "dynamic" },
  peer: "onnxruntime 1.30 quantize_dynamic",
} as const;
const BLOCKS = {
  task: "nbits",
  operation: "quantize",
  options: { method: "weight_only", bits: 4 },
  peer: "onnxruntime 1.30 MatMulNBitsQuantizer",
} as const;
const CHANNELS = {
  task: "channels",
  operation: "quantize",
  options: { method: "weight_only" },
  peer: "onnxruntime 1.30 quantize_data by channel, DequantizeLinear",
} as const;
const FLOAT16 = {
  task: "float16",
  operation: "quantize",
  options: { method: "float16", keep_io_types: true },
  peer: "onnxruntime 1.30 convert_float_to_float16",
} as const;
const PRUNE = {
  task: "prune",
  operation: "prune",
  options: { method: "global_unstructured", amount: 0.5 },
  peer: "numpy load-threshold-save",
} as const;

const named = (name: string, rest: Omit<Case, "name">): Case => ({ name, ...rest });

const SETS: Readonly<Record<string, () => Promise<unknown[]>>> = {
  transformer: async () =>
    runPairs(
      [
        named("int8-dynamic-430mb", DYNAMIC),
        named("int4-weight-only-430mb", BLOCKS),
        named("float16-430mb", FLOAT16),
        named("prune-global-430mb", PRUNE),
      ],
      await benchModel("transformer", () => transformer(MEDIUM)),
      3,
    ),
  conv: async () =>
    runPairs(
      [
        named("int8-dynamic-conv-100mb", DYNAMIC),
        named("int8-per-channel-conv-100mb", CHANNELS),
        named("float16-conv-100mb", FLOAT16),
        named("prune-global-conv-100mb", PRUNE),
      ],
      await benchModel("conv-net", () => convNet(RESNET_50)),
      3,
    ),
  large: async () => {
    try {
      return runPairs(
        [
          named("int8-dynamic-2.5gb", DYNAMIC),
          named("int4-weight-only-2.5gb", BLOCKS),
          named("float16-2.5gb", FLOAT16),
          named("prune-global-2.5gb", PRUNE),
        ],
        await benchModel("large", () => transformer(LARGE)),
        1,
      );
    } finally {
      removeModel("large");
    }
  },
};

const wanted = process.argv.slice(3);
for (const name of wanted) {
  if (!Object.hasOwn(SETS, name))
    throw new RangeError(`bench: "${name}" is none of ${Object.keys(SETS).join(", ")}`);
}
const rows: unknown[] = [];
for (const [name, run] of Object.entries(SETS)) {
  if (wanted.length === 0 || wanted.includes(name)) rows.push(...(await run()));
}
console.log(JSON.stringify({ bench: "compress", unit: "CPU seconds of the whole process", rows }));
