/** @file The catalogue and the buckets of a data folder that no service runs on. */
import { resolve } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { workerConfiguration } from "./bundle.ts";
import { lockData } from "./data-lock.ts";

/** As wrangler.toml names their bindings. */
export const BUCKETS = ["BLOBS", "EXCHANGE"] as const;

export interface Storage {
  db: D1Database;
  bucket: (binding: (typeof BUCKETS)[number]) => Promise<R2Bucket>;
  close: () => Promise<void>;
}

/** @throws Error while a service runs on it */
export async function openStorage(dataDir: string): Promise<Storage> {
  const lock = await lockData(resolve(dataDir));
  const { options } = await workerConfiguration();
  const { d1Databases = {}, r2Buckets = {} } = options;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      log: new Log(LogLevel.ERROR),
      telemetry: { enabled: false },
      resourcePersistencePath: resolve(dataDir),
      workers: [
        {
          name: "storage",
          modules: [{ type: "ESModule", path: "storage.js", contents: "export default {}" }],
          d1Databases,
          r2Buckets,
        },
      ],
    }),
  );
  return {
    db: (await miniflare.getD1Database("DB")) as unknown as D1Database,
    bucket: async (binding) => (await miniflare.getR2Bucket(binding)) as unknown as R2Bucket,
    close: async () => {
      await miniflare.dispose();
      await lock.release();
    },
  };
}
