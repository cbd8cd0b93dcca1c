/**
 * @file `npm run demo`: real models made smaller, and a small one trained, over HTTP. `npm run demo -- train`: the
 * training alone, and one run of each mode. `npm run demo -- runners`: a training on a browser tab, a Node process and
 * the service together, one of which is killed.
 */
import { connect } from "../../src/cli/connection.ts";
import { demoCompression } from "./compress.ts";
import { demoRunners } from "./runners.ts";
import { demoTraining } from "./train.ts";

const part = process.argv[2];
if (part !== undefined && part !== "train" && part !== "runners") {
  console.error("usage: npm run demo [-- train | runners]");
  process.exit(2);
}
if (part === "runners") {
  await demoRunners();
  process.exit(0);
}
const connection = await connect();
try {
  if (part === undefined) await demoCompression(connection);
  await demoTraining(connection.hone, { modes: part === "train" });
  const next =
    part === undefined
      ? "npm run demo -- train   (sync, async and local SGD side by side)"
      : "npm run demo -- runners (a tab, a host and the service train together)";
  console.log(`
The models are in .hone/demo/.
Next: ${next}
      npm run dev             (the console on 127.0.0.1:8787, the API's documentation at /docs)`);
} finally {
  await connection.close();
}
