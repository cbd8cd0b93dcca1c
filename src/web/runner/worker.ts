/** @file The runner in a Web Worker, so that the page stays responsive while a model runs. */
import kernels from "../../kernels/kernels.wasm";
import { performOn, PERFORMED } from "../../runner/perform.ts";
import type { Device } from "../../runner/device.ts";
import type { RunnerInfo } from "../../runner/protocol.ts";
import { Runner } from "../../runner/runner.ts";
import { browserGpuRuntime, browserWasmRuntime } from "./runtime.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

const port = self as unknown as {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: { data: ToWorker }) => void): void;
};

let runner: Runner | undefined;

port.addEventListener("message", ({ data }) => {
  if (data.type === "start") void start(data);
  else runner?.stop(data.how);
});

async function start({ url, token, name }: Extract<ToWorker, { type: "start" }>): Promise<void> {
  try {
    const { devices, info } = await findDevices(name);
    port.postMessage({ type: "device", info });
    runner = new Runner({
      url,
      token,
      info,
      perform: performOn(devices),
      kernels: async () => await WebAssembly.compileStreaming(fetch(kernels)),
      onStatus: (status) => port.postMessage({ type: "status", status }),
    });
    port.postMessage({ type: "ended", reason: await runner.run() });
  } catch (error) {
    port.postMessage({
      type: "ended",
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}

async function findDevices(name: string): Promise<{ devices: Device[]; info: RunnerInfo }> {
  const gpu = await browserGpuRuntime().catch(() => undefined);
  const devices: Device[] = [];
  if (gpu) {
    const { vendor, architecture, description } = gpu.adapter;
    const label = [vendor, architecture, description].filter(Boolean).join(" ");
    devices.push({ backend: "webgpu", name: label, runtime: gpu.runtime });
  } else {
    // One build at a time: two would hold their heaps twice.
    devices.push({ backend: "wasm", name: "WebAssembly", runtime: await browserWasmRuntime() });
  }
  const [first] = devices;
  return {
    devices,
    info: {
      name,
      platform: navigator.userAgent.slice(0, 200),
      runtime: first?.runtime.name ?? "",
      backends: devices.map(({ backend }) => backend),
      kinds: PERFORMED,
      adapter: gpu?.adapter ?? null,
      max_model_bytes: Math.min(...devices.map(({ runtime }) => runtime.maxModelBytes)),
    },
  };
}
