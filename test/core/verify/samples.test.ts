import { readFileSync } from "node:fs";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";

import { DataType } from "../../../src/onnx/data-type.ts";
import { elements } from "../../../src/verify/elements.ts";
import { readNpy } from "../../../src/verify/npy.ts";
import { decodeSamples } from "../../../src/verify/samples.ts";
import { model, valueInfo } from "../runtime/models.ts";

const golden = readFileSync(`${import.meta.dirname}/../../goldens/verify/arrays.npz`);

function npy(dict: string, data: Uint8Array, version = 1): Uint8Array {
  const header = new TextEncoder().encode(`${dict}\n`);
  const head = Uint8Array.of(
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    version,
    0,
    header.length & 255,
    header.length >> 8,
  );
  return new Uint8Array([...head, ...header, ...data]);
}
const dict = (descr: string, shape: string, fortran = "False"): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

describe("npy", () => {
  it("reads what numpy writes", () => {
    const names = ["float32", "int64", "scalar", "fortran", "half", "flags", "empty"];
    const inputs = names.map((name) => valueInfo(name, 0));
    const types = [1, 7, 11, 5, 10, 9, 2];
    const shapes = [[2, 3], [2], [], [2, 3, 4], [1, 2], [2], [0, 4]];
    inputs.forEach((info, i) => {
      info.type = { kind: "tensor", elementType: types[i] ?? 0, shape: shapes[i] };
    });
    const [sample] = decodeSamples(new Uint8Array(golden), model([], inputs, []));
    const values = names.map((name) => Array.from(elements(sample?.[name] ?? expect.fail(name))));
    expect(values).toEqual([
      [0, 0.25, 0.5, 0.75, 1, 1.25],
      [-1, 2 ** 40],
      [3.5],
      Array.from({ length: 24 }, (_, i) => i),
      [1.5, -2],
      [1, 0],
      [],
    ]);
  });

  it("refuses lengths, types and headers that do not hold", () => {
    const data = new Uint8Array(8);
    expect(() => readNpy(npy(dict("<f4", "(3,)"), data))).toThrow("needs 12 bytes, there are 8");
    expect(() => readNpy(npy(dict("<f4", "(4294967296, 4294967296)"), data))).toThrow("is not one");
    expect(() => readNpy(npy(dict(">f4", "(2,)"), data))).toThrow('element type ">f4"');
    expect(() => readNpy(npy(dict("|O", "(1,)"), data))).toThrow('element type "|O"');
    expect(() => readNpy(npy(dict("<f4", "(-2,)"), data))).toThrow('no readable "shape"');
    expect(() => readNpy(npy(dict("<f4", "(2,)"), data, 9))).toThrow("version 9");
    expect(() => readNpy(npy("__import__('os')", data))).toThrow("not a Python dict");
    expect(() => readNpy(npy(dict("<f4", "(2,)"), data).subarray(0, 30))).toThrow(
      "passes the limit",
    );
    expect(() => readNpy(new Uint8Array(3))).toThrow("does not begin");
  });
});

describe("samples", () => {
  const floats = (count: number): Uint8Array =>
    new Uint8Array(Float32Array.from({ length: count }, (_, i) => i).buffer);
  const one = model([], [valueInfo("x", DataType.float32, ["N", 2])], []);

  it("rows become runs, and one array needs no name", () => {
    const samples = decodeSamples(npy(dict("<f4", "(3, 2)"), floats(6)), one);
    expect(samples.map(({ x }) => [x?.dims, Array.from(elements(x ?? expect.fail()))])).toEqual([
      [
        [1, 2],
        [0, 1],
      ],
      [
        [1, 2],
        [2, 3],
      ],
      [
        [1, 2],
        [4, 5],
      ],
    ]);
  });

  it("numbers take the input's type", () => {
    const wide = new Uint8Array(Float64Array.of(1.5, 2.5).buffer);
    const [sample] = decodeSamples(npy(dict("<f8", "(1, 2)"), wide), one);
    expect(sample?.["x"]?.dataType).toBe(DataType.float32);
  });

  it("an array that fits as it is goes into every run", () => {
    const two = model([], [valueInfo("x", 1, ["N", 2]), valueInfo("sr", 7, [])], []);
    const file = zipSync({
      "x.npy": npy(dict("<f4", "(2, 2)"), floats(4)),
      "sr.npy": npy(dict("<i8", "()"), new Uint8Array(BigInt64Array.of(16000n).buffer)),
    });
    const samples = decodeSamples(file, two);
    expect(samples.map(({ sr }) => sr?.dims)).toEqual([[], []]);
  });

  it("names and shapes that the model does not have are errors", () => {
    const two = model([], [valueInfo("x", 1, ["N", 2]), valueInfo("y", 1, ["N", 2])], []);
    const array = npy(dict("<f4", "(1, 2)"), floats(2));
    expect(() => decodeSamples(zipSync({ "x.npy": array }), two)).toThrow('"y" has no array');
    expect(() => decodeSamples(zipSync({ "z.npy": array }), two)).toThrow(
      'no input "z", but "x", "y"',
    );
    expect(() => decodeSamples(npy(dict("<f4", "(1, 3)"), floats(3)), one)).toThrow(
      '"x" has shape [1, 3], the input is float32 [N, 2]',
    );
    const rows = npy(dict("<f4", "(2, 2)"), floats(4));
    expect(() => decodeSamples(zipSync({ "x.npy": array, "y.npy": rows }), two)).toThrow(
      "differ in",
    );
  });

  it("archives that lie about their size or are none are errors", () => {
    expect(() => decodeSamples(new TextEncoder().encode("PK no zip"), one)).toThrow("not an .npz");
    expect(() => decodeSamples(golden.subarray(0, 600), one)).toThrow("not an .npz");
    const bomb = zipSync({ "x.npy": new Uint8Array(40 * 1024 * 1024) });
    expect(() => decodeSamples(bomb, one)).toThrow("more than 64 arrays or 33554432 bytes");
    expect(() => decodeSamples(zipSync({ "x.txt": new Uint8Array(4) }), one)).toThrow(
      "not an .npy",
    );
  });
});
