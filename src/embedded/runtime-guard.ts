/**
 * @file workerd ends with its host. A host that is killed cannot stop it, and the orphan would keep the port and
 * go on writing; so a shell waits on a pipe that only the host holds open, and ends workerd when it closes.
 */
import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";

/** Processes that this one has started. */
export async function childProcesses(): Promise<Set<number>> {
  if (process.platform === "win32") return new Set();
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,comm="]);
  const children = stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, name]) => Number(parent) === process.pid && name?.includes("workerd"));
  return new Set(children.map(([pid]) => Number(pid)));
}

/** Ends the processes started since `before` should this one die; `release` once they were stopped. */
export async function guardRuntime(before: ReadonlySet<number>): Promise<{ release(): void }> {
  const started = [...(await childProcesses())].filter((pid) => !before.has(pid));
  if (started.length === 0) return { release: () => undefined };
  const guard = spawn("sh", ["-c", `cat > /dev/null; kill -9 ${started.join(" ")}`], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.unref();
  // A pipe keeps the event loop alive unless it is told not to.
  (guard.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return { release: () => void guard.kill("SIGKILL") };
}
