/** @file What work costs, whoever else uses the machine: for tests that it does not grow with a square. */

/** Milliseconds of CPU of this process. */
export async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
