/** @file A service in a process of its own, for tests that kill it: says where it is, and serves until it dies. */
import { startService } from "../../src/embedded/host.ts";

const dataDir = process.argv[2];
if (dataDir === undefined) throw new Error("usage: node serve.ts <data folder>");
const { url, apiKey } = await startService({ dataDir });
console.log(JSON.stringify({ url, apiKey }));
