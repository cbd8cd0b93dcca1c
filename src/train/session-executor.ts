/**
 * @file Gradients by ONNX Runtime sessions of the step and evaluate models.
 *
 * The sessions hold no weights: parameters and buffers are inputs of every run, so the ranks of one isolate can
 * share them.
 */
import type { Arena } from "../kernels/arena.ts";
import { DataType } from "../onnx/data-type.ts";
import type { HostTensor, Session } from "../runtime/runtime.ts";
import type { Batch, BatchLoss, Executor } from "./executor.ts";
import { addGradient } from "./add-gradient.ts";
import { type Layout, entryValues } from "./layout.ts";
import { CORRECT, COUNT, LOSS, SEED } from "./step-plan.ts";

export interface SessionExecutorOptions {
  layout: Layout;
  /** The session of the step model; asked for before each gradient, so that sessions can take turns. */
  step: () => Promise<Session>;
  /** The session of the evaluate model. */
  evaluate: () => Promise<Session>;
  /** SIMD kernels; without them the same arithmetic in plain TypeScript, to the same bits. */
  arena?: Arena | undefined;
}

type Tensors = Readonly<Record<string, HostTensor>>;

export function sessionExecutor(options: SessionExecutorOptions): Executor {
  const { layout, step, evaluate, arena } = options;
  return {
    async gradients(vector, batch, sink) {
      const session = await step();
      const results = await session.run(feeds(session, layout, vector, batch));
      for (const entry of layout.entries) {
        addGradient(arena, sink, entry, floats(results, entry.gradient, entry.length));
        sink.ready?.(entry.offset + entry.length);
      }
      return batchLoss(results, batch);
    },
    async evaluate(vector, batch) {
      const session = await evaluate();
      return batchLoss(await session.run(feeds(session, layout, vector, batch)), batch);
    },
  };
}

/** What the model takes of the vector, the batch and its seed. */
function feeds(
  session: Session,
  layout: Layout,
  vector: Float32Array,
  batch: Batch,
): Record<string, HostTensor> {
  const all: Record<string, HostTensor> = {
    ...batch.fields,
    [SEED]: {
      dataType: DataType.int64,
      dims: [1],
      bytes: new Uint8Array(BigInt64Array.of(BigInt(batch.seed)).buffer),
    },
  };
  for (const entry of layout.entries) {
    const { buffer, byteOffset, byteLength } = entryValues(vector, entry);
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    all[entry.name] = { dataType: DataType.float32, dims: entry.dims, bytes };
  }
  return Object.fromEntries(
    session.inputNames.flatMap((name) => {
      const tensor = all[name];
      return tensor ? [[name, tensor] as const] : [];
    }),
  );
}

/** @throws RangeError where the output is missing or has another length */
function floats(results: Tensors, name: string, length: number): Float32Array {
  const bytes = results[name]?.bytes;
  if (bytes?.byteLength !== 4 * length) {
    throw new RangeError(
      `train: output "${name}" of the step has ${bytes?.byteLength ?? "no"} bytes, ${length} float32 need ${4 * length}`,
    );
  }
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(buffer, byteOffset, length);
}

function batchLoss(results: Tensors, batch: Batch): BatchLoss {
  const scalar = (name: string): number | undefined => results[name] && floats(results, name, 1)[0];
  return {
    loss: scalar(LOSS) ?? NaN,
    correct: scalar(CORRECT),
    count: scalar(COUNT) ?? batch.rows,
  };
}
