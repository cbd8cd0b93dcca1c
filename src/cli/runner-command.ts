/** @file `hone runner`: this machine lends its GPU or CPU to a service until it is stopped. */
import { hostname } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { Backend, BACKENDS } from "../runner/protocol.ts";
import { Runner, type RunnerStatus } from "../runner/runner.ts";

interface Flags {
  url: string;
  token: string;
  name: string;
  backend?: Backend[];
  dawn?: string[];
}

export function addRunnerCommand(program: Command): void {
  program
    .command("runner")
    .description("compute for a service: gradients, evaluations, benchmarks, …")
    .addOption(new Option("--url <url>", "the service").env("HONE_URL").makeOptionMandatory())
    .addOption(
      new Option("--token <token>", "a runner token, from POST /v1/runner-tokens")
        .env("HONE_RUNNER_TOKEN")
        .makeOptionMandatory(),
    )
    .option("--name <name>", "what to be listed as", hostname())
    .option(
      "--backend <name>",
      `${BACKENDS.slice(0, 3).join(", ")}; may be given more than once (default: all that are here)`,
      (name: string, before: Backend[] | undefined) => {
        const parsed = Backend.safeParse(name);
        if (parsed.success) return [...(before ?? []), parsed.data];
        throw new InvalidArgumentError(`it is one of ${BACKENDS.join(", ")}`);
      },
    )
    .option(
      "--dawn <switch>",
      "of the WebGPU implementation; on a software adapter enable-dawn-features=disable_workgroup_init starts faster",
      (each: string, before: string[] | undefined) => [...(before ?? []), each],
    )
    .action(async ({ url, token, name, backend, dawn }: Flags) => {
      // Native libraries, which the other commands need not load.
      const { nodeDevices } = await import("../runner/node-devices.ts");
      const { kernelModule } = await import("../kernels/node.ts");
      const { openNodeLine } = await import("../runner/node-line.ts");
      const { performOn } = await import("../runner/perform.ts");
      const machine = await nodeDevices({
        name,
        ...(backend ? { backends: backend } : {}),
        ...(dawn ? { dawn } : {}),
      });
      const { devices, info } = machine;
      console.error(
        `${name}: ${devices.map((each) => `${each.backend} (${each.name})`).join(", ")}`,
      );
      const log = new StatusLog();
      const runner = new Runner({
        url,
        token,
        info,
        perform: performOn(devices),
        openLine: openNodeLine,
        kernels: kernelModule,
        onStatus: (status) => log.show(status),
      });
      // The first signal lets the task finish, the second hands it back.
      let asked = 0;
      const stop = () => runner.stop(asked++ === 0 ? "finish" : "hand_back");
      process.on("SIGTERM", stop);
      process.on("SIGINT", stop);
      try {
        const reason = await runner.run();
        if (reason !== "stopped") throw new Error(reason);
      } finally {
        process.off("SIGTERM", stop);
        process.off("SIGINT", stop);
        machine.close();
      }
    });
}

/** A line for each change of state or task; on a terminal, progress too. */
class StatusLog {
  #last = "";

  show({ state, task, reason, tasksDone, runner }: RunnerStatus): void {
    const what = task ? `${task.kind} ${task.id}` : state;
    const line = [what, reason, state === "idle" ? `${tasksDone} done` : "", runner ?? ""]
      .filter(Boolean)
      .join("  ");
    if (line === this.#last) return;
    this.#last = line;
    console.error(`${new Date().toISOString().slice(11, 19)}  ${line}`);
  }
}
