/** @file The last line of a process that is measured: what it took of CPU, memory and time, from its start. */

export function tellUsage(): void {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpu_s = (userCPUTime + systemCPUTime) / 1e6;
  console.log(JSON.stringify({ cpu_s, peak_mb: maxRSS / 1024, wall_s: performance.now() / 1000 }));
}
