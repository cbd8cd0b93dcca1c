/** @file Models that are refused, by the code of the problem; each answer says where or what. */
import { expect, it } from "vitest";
import { int, model, node, tensor, varint } from "../../core/onnx/bytes.ts";
import { fileOf, linear, linearFile } from "./models.ts";
import { newWorkspace } from "./service.ts";

const TOO_MANY = 20_000;

const bodies: Record<string, () => Promise<Uint8Array> | Uint8Array> = {
  "422 malformed a number is longer than 10 bytes": () =>
    Uint8Array.from([8, ...Array.from({ length: 11 }, () => 0x80), 1]),
  "422 truncated passes the end of its message": () => Uint8Array.from([...int(1, 8), 58, 100, 0]),
  '422 invalid_model reads "nobody", which is no input': () =>
    model({ nodes: [node("Add", ["x", "nobody"], ["y"])] }),
  "422 invalid_model opset 999 is newer than": () => model({ opset: 999 }),
  '422 unsupported tensor "w" is stored in segments': () =>
    model({ initializers: [tensor("w", [2], [26, 2, 8, 1])] }),
  "413 limit_exceeded is longer than": () =>
    model({ nodes: [node("Add", ["x".repeat(TOO_MANY), "w"], ["y"])] }),
};

it.each(Object.keys(bodies))("%s", async (expected) => {
  const { call } = await newWorkspace();
  const [status, code = "", ...words] = expected.split(" ");
  const body = new Uint8Array((await bodies[expected]?.()) ?? []);
  for (const path of ["/v1/quantize?method=weight_only", "/v1/prune", "/v1/models"]) {
    const answer = await call(path, { body });
    expect([path, answer.status, answer.json.code]).toEqual([path, Number(status), code]);
    expect(answer.json.detail).toContain(words.join(" "));
    expect(answer.json.hint).toEqual(expect.any(String));
  }
});

it("a length of 2 GiB in a small body allocates nothing and is refused", async () => {
  const { call } = await newWorkspace();
  const body = Uint8Array.from([8, 8, 58, ...varint(2 ** 31)]);
  const answer = await call("/v1/quantize", { body });
  expect(answer.json).toMatchObject({ status: 422, code: "truncated" });
  expect(answer.json.detail).toContain("2147483648");
});

it("a result that ONNX Runtime does not load is refused with the report", async () => {
  const { call } = await newWorkspace();
  const broken = linear(64, 64);
  // Valid by its names and opsets; only ONNX Runtime multiplies the shapes.
  const [x] = broken.graph.inputs;
  if (x?.type?.kind === "tensor") x.type.shape = ["batch", 63];
  const answer = await call("/v1/quantize?method=weight_only", {
    body: await fileOf(broken),
  });
  expect(answer.json).toMatchObject({ status: 422, code: "does_not_load" });
  expect(answer.json.detail).toContain("ONNX Runtime");
});

it("a method that does not fit the model is refused with what it needs", async () => {
  const { call } = await newWorkspace();
  const answer = await call("/v1/quantize?method=weight_only&bits=2&quant_format=QDQ", {
    body: await linearFile(64, 64),
  });
  expect(answer.json).toMatchObject({ status: 422, code: "not_applicable" });
  expect(answer.json.detail).toMatch(/opset 25/);
});
