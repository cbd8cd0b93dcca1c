/** @file One conversion, file to file, as a process of its own: `compress-one OPERATION OPTIONS INPUT OUTPUT`. */
import { compressFile } from "../src/node/file-to-file.ts";

const [operation = "", options = "{}", input = "", output = ""] = process.argv.slice(2);
await compressFile(input, output, {
  operation: operation as "quantize" | "prune",
  options: { verify: false, ...JSON.parse(options) },
});
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
console.log(
  JSON.stringify({
    cpu_s: (userCPUTime + systemCPUTime) / 1e6,
    peak_mb: maxRSS / 1024,
    wall_s: performance.now() / 1000,
  }),
);
