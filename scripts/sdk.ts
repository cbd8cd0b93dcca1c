/** @file `npm run sdk`: the SDKs' generated code, from openapi.yaml. `--check` only tells whether it is what it should be. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

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
