/** @file One conversion, file to file, as a process of its own: `compress-one OPERATION OPTIONS INPUT OUTPUT`. */
import { compress } from "../src/compress/compress.ts";
import { kernelModule } from "../src/kernels/node.ts";
import { externalBeside, FileSink, FileSource } from "../src/node/file-source.ts";

const [operation = "", options = "{}", input = "", output = ""] = process.argv.slice(2);
const result = await compress(
  { source: new FileSource(input), external: externalBeside(input) },
  {
    operation: operation as "quantize" | "prune",
    options: { verify: false, ...JSON.parse(options) },
  },
  { kernels: await kernelModule() },
);
for (const file of result.files) {
  const sink = new FileSink(file.location ? `${output}.data` : output);
  await file.write(sink);
  sink.close();
}
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
console.log(
  JSON.stringify({
    cpu_s: (userCPUTime + systemCPUTime) / 1e6,
    peak_mb: maxRSS / 1024,
    wall_s: performance.now() / 1000,
  }),
);
