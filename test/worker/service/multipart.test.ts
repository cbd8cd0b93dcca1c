import { expect, it } from "vitest";
import { boundaryOf, type PartHeader, readMultipart } from "../../../src/routes/multipart.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** The body in chunks of `size`, in one buffer that is reused, as the reader of a request does it. */
async function* chunks(body: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    buffer.fill(0xff);
  }
}

async function read(body: Uint8Array, boundary: string, size: number) {
  const parts: (PartHeader & { text: string })[] = [];
  await readMultipart(chunks(body, size), boundary, async (header) => {
    const part = { ...header, text: "" };
    parts.push(part);
    return async (bytes) => {
      part.text += Buffer.from(bytes).toString("latin1");
    };
  });
  return parts;
}

const BODY = [
  "--b-1",
  'Content-Disposition: form-data; name="model"; filename="a \\"b\\".onnx"',
  "Content-Type: application/octet-stream",
  "",
  "line\r\n--b-\r\n--b-2 almost\r\n",
  "--b-1",
  "content-disposition: form-data; name=data/w.bin",
  "",
  "",
  "--b-1--",
  "",
].join("\r\n");

it("parts are the same whatever the chunks' size", async () => {
  for (let size = 1; size <= BODY.length; size++) {
    expect(await read(encode(BODY), "b-1", size)).toEqual([
      { name: "model", filename: 'a "b".onnx', text: "line\r\n--b-\r\n--b-2 almost\r\n" },
      { name: "data/w.bin", filename: undefined, text: "" },
    ]);
  }
});

it("what FormData writes is read", async () => {
  const form = new FormData();
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  form.set('we"ird', new File([bytes], "x.bin"));
  const request = new Request("http://hone.test", { method: "POST", body: form });
  const boundary = boundaryOf(request.headers.get("Content-Type") ?? "") ?? "";
  const [part] = await read(new Uint8Array(await request.arrayBuffer()), boundary, 4096);
  expect(part?.name).toBe('we"ird');
  expect(part?.text).toBe(Buffer.from(bytes).toString("latin1"));
});

it.each([
  ["", /no boundary line/],
  ["--other\r\n", /no boundary line/],
  ["--b-1\r\n\r\nx", /no name|ends within/],
  ['--b-1\r\nContent-Disposition: form-data; name="a"\r\n', /ends within a part's header/],
  ['--b-1\r\nContent-Disposition: form-data; name="a"\r\n\r\nx', /ends within a part/],
  ["--b-1x\r\n", /goes on after the boundary/],
  ["--b-1\r\nContent-Disposition: attachment\r\n\r\n\r\n--b-1--", /no name/],
  [`--b-1\r\nX: ${"x".repeat(20_000)}`, /header passes/],
])("%j is refused", async (body, reason) => {
  await expect(read(encode(body), "b-1", 64)).rejects.toThrow(reason);
});

it("boundaries are quoted or not, and must be there", () => {
  expect(boundaryOf('multipart/form-data; boundary="a b"')).toBe("a b");
  expect(boundaryOf("multipart/form-data;charset=x; boundary=xyz; y=z")).toBe("xyz");
  expect(boundaryOf("application/octet-stream")).toBeUndefined();
  expect(() => boundaryOf("multipart/form-data")).toThrow(/no boundary/);
});
