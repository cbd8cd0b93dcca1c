/** @file An embedded service on a data folder of its own, and calls to it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Service, type ServiceOptions, startService } from "../../src/embedded/host.ts";

export interface TestService extends Service {
  dataDir: string;
  /** A call with the service's key. */
  call: (path: string, init?: RequestInit) => Promise<Response>;
  /** Stops it and deletes its data. */
  end: () => Promise<void>;
}

export async function newDataDir(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "hone-e2e-"));
}

export async function newService(options: ServiceOptions = {}): Promise<TestService> {
  const dataDir = options.dataDir ?? (await newDataDir());
  const service = await startService({ ...options, dataDir });
  return {
    ...service,
    dataDir,
    call: caller(service),
    end: async () => {
      await service.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export function caller({ url, apiKey }: Pick<Service, "url" | "apiKey">): TestService["call"] {
  return async (path, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${apiKey}`);
    return await fetch(`${url}${path}`, { ...init, headers });
  };
}
