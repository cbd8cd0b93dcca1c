/** @file The Python SDK against a running service, where python3 has httpx; its generated files in any case. */
import { execFile, execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { linearFile } from "../../worker/service/models.ts";
import { newService } from "../service.ts";

const SDK = join(import.meta.dirname, "../../../sdk/python");
const PYTHON = process.env["HONE_PYTHON"] ?? "python3";

const hasHttpx = (() => {
  try {
    execFileSync(PYTHON, ["-c", "import httpx"], { stdio: "ignore" });
    return true;
  } catch {
    console.warn(
      `the Python SDK's tests are skipped: ${PYTHON} has no httpx (HONE_PYTHON names another)`,
    );
    return false;
  }
})();

it.skipIf(!hasHttpx)("the Python SDK does what the TypeScript SDK does", async () => {
  const service = await newService();
  try {
    const [model, large] = ["model.onnx", "large.onnx"].map((name) => join(service.dataDir, name));
    await writeFile(model ?? "", await linearFile(128, 128));
    await writeFile(large ?? "", await linearFile(3000, 1100));
    const env = {
      ...process.env,
      PYTHONPATH: SDK,
      PYTHONDONTWRITEBYTECODE: "1",
      HONE_URL: service.url,
      HONE_API_KEY: service.apiKey,
      MODEL: model,
      LARGE_MODEL: large,
    };
    const said = await new Promise<string>((resolve) => {
      const args = ["-m", "unittest", "discover", "-s", join(SDK, "tests")];
      execFile(PYTHON, args, { env }, (_error, _out, err) => resolve(err));
    });
    expect(said).toMatch(/Ran 13 tests[^]*\nOK\n/);
  } finally {
    await service.end();
  }
});
