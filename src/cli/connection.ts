/** @file The service that a command talks to: the host in HONE_URL, or one that is started here and stopped after. */
import { startService } from "../embedded/host.ts";

export interface Connection {
  url: string;
  apiKey: string;
  /** `https://host` or `embedded`. */
  label: string;
  close(): Promise<void>;
}

/** @throws Error when HONE_URL is set and HONE_API_KEY is not */
export async function connect(): Promise<Connection> {
  const url = process.env["HONE_URL"]?.replace(/\/+$/, "");
  if (!url) {
    const service = await startService();
    return {
      url: service.url,
      apiKey: service.apiKey,
      label: "embedded",
      close: () => service.stop(),
    };
  }
  const apiKey = process.env["HONE_API_KEY"];
  if (!apiKey) throw new Error("HONE_URL is set, HONE_API_KEY is not: the host needs a key");
  return { url, apiKey, label: url, close: async () => undefined };
}
