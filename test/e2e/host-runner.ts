/** @file `hone runner` as a process, connected to a service. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { TestService } from "./service.ts";

const HONE = join(import.meta.dirname, "../../src/cli/hone.ts");

/** Starts a runner and waits until the pool lists it as idle; it is killed when the test is over. @returns its id */
export async function hostRunner(service: TestService, name: string): Promise<string> {
  const { call, url } = service;
  const answer = await call("/v1/runner-tokens", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });
  const { secret } = (await answer.json()) as { secret: string };
  const args = ["runner", "--url", url, "--name", name, "--backend", "cpu"];
  const child = spawn(process.execPath, [HONE, ...args], {
    env: { ...process.env, HONE_RUNNER_TOKEN: secret },
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  for (let tries = 0; tries < 2400; tries++) {
    if (child.exitCode !== null) throw new Error(`the runner ended: ${said}`);
    const { data } = (await (await call("/v1/runners")).json()) as {
      data: { id: string; state: string; info: { name: string } }[];
    };
    const found = data.find(({ info, state }) => info.name === name && state === "idle");
    if (found) return found.id;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the runner did not connect within 240 s: ${said}`);
}
