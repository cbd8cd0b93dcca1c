/** @file `npm run sdk`: the SDKs' generated code, from openapi.yaml. `--check` only tells whether it is what it should be. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blockingClient, pythonTypes } from "./sdk-python.ts";

const root = join(import.meta.dirname, "..");
const generators = join(root, "sdk/generator");

if (!existsSync(join(generators, "node_modules"))) {
  execFileSync("npm", ["ci", "--prefer-offline"], { cwd: generators, stdio: "inherit" });
}
execFileSync(
  join(generators, "node_modules/.bin/openapi-typescript"),
  [
    "openapi.yaml",
    "--output",
    "sdk/typescript/src/generated/schema.d.ts",
    "--root-types",
    "--root-types-no-schema-prefix",
    "--default-non-nullable",
    "false",
    ...(process.argv.includes("--check") ? ["--check"] : []),
  ],
  { cwd: root, stdio: "inherit" },
);

const python = join(root, "sdk/python/hone_sdk");
for (const [name, text] of Object.entries({
  "_types.py": pythonTypes(readFileSync(join(root, "openapi.yaml"), "utf8")),
  "_sync_client.py": blockingClient(readFileSync(join(python, "_async_client.py"), "utf8")),
})) {
  const file = join(python, name);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
  else if (readFileSync(file, "utf8") !== text) {
    throw new Error(`${name} is not what it should be: npm run sdk`);
  }
}
