/** @file The service that a command talks to: the host in HONE_URL, or one that is started here and stopped after. */
import { Hone } from "../../sdk/typescript/src/index.ts";

export interface Connection {
  hone: Hone;
  /** `https://host` or `embedded`. */
  label: string;
  close(): Promise<void>;
}

/** @throws Error when HONE_URL is set and HONE_API_KEY is not */
export async function connect(): Promise<Connection> {
  const url = process.env["HONE_URL"]?.replace(/\/+$/, "");
  if (!url) {
    // Miniflare takes most of a second to load, which a command on a host need not wait for.
    const { startService } = await import("../embedded/host.ts");
    const service = await startService();
    return {
      hone: new Hone({ baseUrl: service.url, apiKey: service.apiKey }),
      label: "embedded",
      close: () => service.stop(),
    };
  }
  const apiKey = process.env["HONE_API_KEY"];
  if (!apiKey) throw new Error("HONE_URL is set, HONE_API_KEY is not: the host needs a key");
  return { hone: new Hone({ baseUrl: url, apiKey }), label: url, close: async () => undefined };
}

/** Gives a service to `use`, and stops it afterwards if it was started for that. */
export async function withService(use: (connection: Connection) => Promise<void>): Promise<void> {
  const connection = await connect();
  try {
    await use(connection);
  } finally {
    await connection.close();
  }
}
