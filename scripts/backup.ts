/**
 * @file `npm run backup -- export <folder>` and `npm run backup -- import <folder>`: what a data folder holds, out of it
 * and into a new one; `--data <folder>` names it (default `.hone`). No service may run on it meanwhile.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exportBackup, importBackup } from "../src/embedded/backup.ts";
import { projectRoot } from "../src/embedded/bundle.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { data: { type: "string", default: join(projectRoot, ".hone") } },
});
const [command, folder] = positionals;
if ((command !== "export" && command !== "import") || folder === undefined) {
  throw new Error("usage: npm run backup -- export|import <folder> [--data <folder>]");
}
const { objects, bytes } = await (command === "export"
  ? exportBackup(values.data, folder)
  : importBackup(folder, values.data));
console.log(`${command}ed the catalogue and ${objects} objects, ${bytes} bytes`);
