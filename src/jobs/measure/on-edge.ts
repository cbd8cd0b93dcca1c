/** @file A measurement in the Worker itself: the runners' program on the isolate's ONNX Runtime, on objects in R2. */
import type { Task } from "../../runner/protocol.ts";
import type { TaskKit } from "../../runner/task-kit.ts";
import { StoredObjectError } from "../../store/r2-source.ts";
import { inTurn } from "../turns.ts";
import { resultProblem } from "../runners/task-result.ts";
import type { TaskOrder } from "../runners/task-order.ts";

export interface EdgeHooks {
  signal: AbortSignal;
  onProgress: (fraction: number, doing: string) => void;
}

/** Why a task cannot be done here; `undefined` when it can. */
export async function edgeProblem({ needs }: TaskOrder): Promise<string | undefined> {
  const { edgeRuntime } = await import("../../runtime/edge.ts");
  const { maxModelBytes } = edgeRuntime();
  const largest = needs.model_bytes ?? 0;
  if (needs.backends && !needs.backends.includes("wasm")) {
    return `it asks for ${needs.backends.join(" or ")}, the Worker has wasm`;
  }
  if (largest <= maxModelBytes) return undefined;
  return `a model of ${largest} bytes does not fit the Worker, which takes ${maxModelBytes}`;
}

/** @throws TaskFault and ONNX Runtime's errors */
export async function performOnEdge(
  env: Env,
  order: TaskOrder,
  { signal, onProgress }: EdgeHooks,
): Promise<Record<string, unknown>> {
  const [{ performOn }, { edgeRuntime }] = await Promise.all([
    import("../../runner/perform.ts"),
    import("../../runtime/edge.ts"),
  ]);
  const perform = performOn([{ backend: "wasm", name: "the Worker", runtime: edgeRuntime() }]);
  const kit = edgeKit(env, { signal, onProgress });
  const result = await inTurn(() => perform(edgeTask(order), kit), signal);
  const problem = await resultProblem(env, order, 1, result);
  if (problem) throw new TypeError(`measure: ${problem}`);
  return result;
}

/** The task with addresses that only `edgeKit` understands: the objects' keys. */
export function edgeTask({ id, kind, spec, sources }: TaskOrder): Task {
  const addressed = Object.entries(sources).map(([name, { key, ...source }]) => [
    name,
    { ...source, url: key },
  ]);
  return { id, kind, lease: 1, spec, sources: Object.fromEntries(addressed), targets: {} };
}

export function edgeKit(env: Env, hooks: EdgeHooks): TaskKit {
  return {
    ...hooks,
    read: async ({ url: key }, range) => {
      const part = range && { range: { offset: range.start, length: range.end - range.start } };
      const object = await env.BLOBS.get(key, part);
      if (!object) throw new StoredObjectError(`the object ${key} is gone`);
      return new Uint8Array(await object.arrayBuffer());
    },
    write: () => Promise.reject(new TypeError("measure: no task writes here")),
    openLine: () => Promise.reject(new TypeError("measure: no task opens a line here")),
    kernels: async () => (await import("../../kernels/kernels.wasm")).default,
  };
}
