/** @file One conversion, file to file, as a process of its own: `compress-one OPERATION OPTIONS INPUT OUTPUT`. */
import { compressFile } from "../src/node/file-to-file.ts";
import { tellUsage } from "./own-usage.ts";

const [operation = "", options = "{}", input = "", output = ""] = process.argv.slice(2);
await compressFile(input, output, {
  operation: operation as "quantize" | "prune",
  options: { verify: false, ...JSON.parse(options) },
});
tellUsage();
