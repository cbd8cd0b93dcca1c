import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { externalBeside, FileSource } from "../../../src/node/file-source.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "hone-links-"));
  for (const folder of ["model", "blobs", "snapshot", "model/part"]) mkdirSync(join(root, folder));
  for (const file of ["secret", "model/model.onnx", "model/part/w", "blobs/1", "blobs/2"]) {
    writeFileSync(join(root, file), file);
  }
  symlinkSync("../secret", join(root, "model/out"));
  symlinkSync("part/w", join(root, "model/in"));
  symlinkSync("../blobs/1", join(root, "snapshot/model.onnx"));
  symlinkSync("../blobs/2", join(root, "snapshot/w"));
  symlinkSync("../secret", join(root, "snapshot/out"));
});
afterAll(() => rmSync(root, { recursive: true }));

it("external data may be a link inside the model's folder, or beside what the model links to", async () => {
  expect((await externalBeside(join(root, "model/model.onnx"))("in"))?.size).toBe(12);
  expect((await externalBeside(join(root, "snapshot/model.onnx"))("w"))?.size).toBe(7);
});

it("a link out of the folder is refused, a file that is not there is none", async () => {
  for (const folder of ["model", "snapshot"]) {
    const open = externalBeside(join(root, folder, "model.onnx"));
    await expect(open("out")).rejects.toThrow('"out" leads out of the model\'s folder');
    expect(await open("missing")).toBeUndefined();
  }
});

it("a folder and a device are no files", () => {
  for (const path of [join(root, "model"), "/dev/zero"]) {
    expect(() => new FileSource(path)).toThrow("is no file");
  }
});
