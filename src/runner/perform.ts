/** @file One program for each kind of task; the edge, a page and a host run the same ones. */
import type { Device } from "./device.ts";
import type { TaskKind } from "./protocol.ts";
import type { Perform } from "./task-kit.ts";
import { benchmark } from "./tasks/benchmark.ts";
import { calibrateTask } from "./tasks/calibrate.ts";
import { evaluate } from "./tasks/evaluate.ts";
import { gradient } from "./tasks/gradient.ts";
import { verifyTask } from "./tasks/verify.ts";

export type TaskProgram = (
  device: Device,
  ...parameters: Parameters<Perform>
) => ReturnType<Perform>;

const PROGRAMS: Record<TaskKind, TaskProgram> = {
  gradient,
  benchmark,
  evaluate,
  calibrate: calibrateTask,
  verify: verifyTask,
};

/** The kinds that there are programs for. */
export const PERFORMED = Object.keys(PROGRAMS) as TaskKind[];

/** @param devices the fastest first; a task that names back ends gets one of those */
export function performOn(devices: readonly Device[]): Perform {
  return async (task, kit) => {
    const program = PROGRAMS[task.kind];
    const wanted = task.spec["backend"];
    const device =
      wanted === undefined ? devices[0] : devices.find(({ backend }) => backend === wanted);
    if (!device) throw new Error(`this runner has no back end ${JSON.stringify(wanted)}`);
    return await program(device, task, kit);
  };
}
