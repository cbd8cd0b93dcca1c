/** @file A service in a process of its own, for tests that kill it: says where it is, and serves until it dies. */
import { startService } from "../../src/embedded/host.ts";

const [, , options] = process.argv;
if (options === undefined)
  throw new Error("usage: node serve.ts <options of startService, as JSON>");
const { url, apiKey } = await startService(JSON.parse(options));
console.log(JSON.stringify({ url, apiKey }));
