/** @file One process at a time in a data folder: two runtimes on the same SQLite files would corrupt them. */
import { rmSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface DataLock {
  release(): Promise<void>;
}

/** @throws Error naming the process that holds the folder */
export async function lockData(dataDir: string): Promise<DataLock> {
  const path = join(dataDir, "lock");
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      const release = () => rmSync(path, { force: true });
      // Whatever ends the process in an orderly way, the folder is free again.
      process.once("exit", release);
      return {
        release: async () => {
          process.off("exit", release);
          release();
        },
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = Number(await readFile(path, "utf8").catch(() => ""));
    if (holder > 0 && isAlive(holder)) {
      throw new Error(
        `${dataDir} is in use by process ${holder}: set HONE_URL to talk to that service, or choose another data folder (if that process is no Hone service, delete ${path})`,
      );
    }
    // Its process was killed. Of two that see this at once, one gets the lock and the other comes back here.
    await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
