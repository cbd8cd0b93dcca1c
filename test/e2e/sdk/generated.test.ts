/** @file openapi.yaml makes clients: the committed one is what its generator makes, and another generator's compiles. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
const scratch = mkdtempSync(join(root, ".sdk-test-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** @throws Error with what the program printed */
function run(program: string, args: string[]): void {
  execFileSync(join(root, program), args, { cwd: root, stdio: "pipe" });
}

function compile(file: string): void {
  writeFileSync(
    join(scratch, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        target: "es2022",
        module: "esnext",
        moduleResolution: "bundler",
        lib: ["es2023", "dom", "dom.iterable"],
        types: [],
        noEmit: true,
      },
      files: [file],
    }),
  );
  run("node_modules/.bin/tsc", ["-p", scratch]);
}

it("the TypeScript SDK's types are what openapi.yaml says (npm run sdk writes them)", () => {
  execFileSync(process.execPath, [join(root, "scripts/sdk.ts"), "--check"], { stdio: "pipe" });
});

it("the TypeScript SDK compiles for browsers, Workers and Node alike", () => {
  run("node_modules/.bin/tsc", ["-p", "sdk/typescript", "--noEmit"]);
});

it("a second generator's client compiles, with each operation by its name", () => {
  const client = join(scratch, "hey-api");
  run("sdk/generator/node_modules/.bin/openapi-ts", ["-i", "openapi.yaml", "-o", client]);
  writeFileSync(
    join(scratch, "use.ts"),
    'import { createQuantizeJob, quantizeModel, streamJobEvents } from "./hey-api";\n' +
      'void createQuantizeJob({ path: { id: "model_x" }, body: { method: "dynamic" } });\n' +
      'void [quantizeModel, streamJobEvents({ path: { id: "job_x" } })];\n',
  );
  compile("use.ts");
  writeFileSync(
    join(scratch, "misuse.ts"),
    'import { createQuantizeJob } from "./hey-api";\n' +
      'void createQuantizeJob({ path: { id: "model_x" }, body: { method: "no such" } });\n',
  );
  expect(() => compile("misuse.ts")).toThrow();
});
