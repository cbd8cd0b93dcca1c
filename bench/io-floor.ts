/**
 * @file What no conversion in Node can be faster than: starting, reading every byte of a model once and writing as many
 * as the result has. `io-floor OUTPUT BYTES INPUT…`
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { tellUsage } from "./own-usage.ts";

const [output = "", bytes = "0", ...inputs] = process.argv.slice(2);
const chunk = new Uint8Array(1 << 20);
/** As FileSink writes: in blocks that the page cache takes in large folios. */
const block = chunk.subarray(0, 256 << 10);
let left = Number(bytes);
const target = openSync(output, "w");
for (const input of inputs) {
  const source = openSync(input, "r");
  const { size } = fstatSync(source);
  for (let at = 0; at < size; at += readSync(source, chunk, 0, chunk.length, at)) {
    if (left > 0) left -= writeSync(target, block, 0, Math.min(block.length, left));
  }
  closeSync(source);
}
while (left > 0) left -= writeSync(target, block, 0, Math.min(block.length, left));
closeSync(target);
tellUsage();
