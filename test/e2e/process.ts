/** @file A service in a process of its own, to be killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import type { ServiceOptions } from "../../src/embedded/host.ts";
import { caller, type TestService } from "./service.ts";

export interface ServiceProcess extends Pick<TestService, "url" | "apiKey" | "call"> {
  /** SIGKILL; resolves once the process is gone. */
  kill: () => Promise<void>;
}

/** Starts it on `dataDir`; it is killed when the test is over, if not before. */
export async function serve(
  dataDir: string,
  options: ServiceOptions = {},
): Promise<ServiceProcess> {
  const args = [join(import.meta.dirname, "serve.ts"), JSON.stringify({ ...options, dataDir })];
  const host = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void host.kill("SIGKILL"));
  const [line] = await once(createInterface(host.stdout), "line");
  const { url, apiKey } = JSON.parse(line);
  const kill = async () => {
    host.kill("SIGKILL");
    await once(host, "exit");
  };
  return { url, apiKey, call: caller({ url, apiKey }), kill };
}
