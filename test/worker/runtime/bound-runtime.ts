/**
 * @file Stands in for `src/runtime/edge.ts` in tests of the worker: the same code, in the worker bound as ORT.
 *
 * Vitest hands imports over as JSON, which takes 20 s for the 14 MB of ONNX Runtime.
 */
import { env } from "cloudflare:workers";

import type { HostTensor, Runtime, Session } from "../../../src/runtime/runtime.ts";
import type { WasmRuntime } from "../../../src/runtime/wasm-runtime.ts";
import type OrtService from "./ort-service.ts";
import type { Outcome } from "./ort-service.ts";

const service = (env as unknown as { ORT: Service<OrtService> }).ORT;

export function edgeRuntime(): Runtime & Pick<WasmRuntime, "runResident"> {
  return {
    name: "onnxruntime-web 1.30.0 wasm (workerd)",
    maxModelBytes: 32_000_000,
    async load(model: Uint8Array): Promise<Session> {
      const { session, inputs, outputs } = valueOf(await service.load(model));
      return {
        inputNames: inputs,
        outputNames: outputs,
        async run(feeds: Record<string, HostTensor>) {
          return valueOf(await session.run(feeds));
        },
        async release() {
          await session.release();
          session[Symbol.dispose]();
        },
      };
    },
    async runResident(name, model, feeds) {
      const known = await service.runResident(name, feeds);
      if (known) return valueOf(known);
      const loaded = await service.runResident(name, feeds, await model());
      if (!loaded) throw new Error("runtime: the bytes of a resident session are missing");
      return valueOf(loaded);
    },
  };
}

/** Size of the WebAssembly memory, in bytes. */
export async function heapBytes(): Promise<number> {
  return await service.heapBytes();
}

function valueOf<T>(outcome: Outcome<T>): T {
  if ("error" in outcome) throw new Error(outcome.error);
  return outcome.value;
}
