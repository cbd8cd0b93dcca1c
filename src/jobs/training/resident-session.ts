/** @file A session that the ranks of an isolate share: it holds no state, since the weights go in with every run. */
import type { HostTensor, Session } from "../../runtime/runtime.ts";
import type { TrainingObjects } from "./training-objects.ts";
import type { StoredGraph } from "./training-plan.ts";

/** What a run gave is taken back when the next one begins: it would pile up, a vector a step, until it is collected. */
export async function residentSession(
  objects: TrainingObjects,
  graph: StoredGraph,
): Promise<Session> {
  const { edgeRuntime } = await import("../../runtime/edge.ts");
  const runtime = edgeRuntime();
  let given: Record<string, HostTensor> = {};
  return {
    inputNames: graph.inputs,
    outputNames: graph.outputs,
    run: async (feeds: Readonly<Record<string, HostTensor>>) => {
      for (const { bytes } of Object.values(given)) free(bytes);
      given = {};
      given = await runtime.runResident(graph.sha256, () => objects.getBytes(graph.name), feeds);
      return given;
    },
    // It goes when others need the memory.
    release: async () => undefined,
  };
}

/** Gives the memory back at once, if nobody else's bytes lie in it. */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
