/** @file Telling other formats from ONNX by their first bytes, to say what was sent instead. */
import type { ByteSource } from "./source.ts";

const HEAD_BYTES = 512;

/** A sentence that says what the file is, or `undefined` when it may be an ONNX model. */
export async function sniffOther(source: ByteSource): Promise<string | undefined> {
  if (source.size === 0) return "the file is empty";
  const head = new Uint8Array(Math.min(HEAD_BYTES, source.size));
  await source.read(0, head);
  // One character a byte: TextDecoder's "latin1" is windows-1252, which moves 0x80 to 0x9f.
  const text = String.fromCharCode(...head);
  const at = (offset: number, magic: string) => text.startsWith(magic, offset);
  if (at(0, "version https://git-lfs")) {
    return "the file is a Git LFS pointer, not the model it points to: fetch it with `git lfs pull`";
  }
  if (at(0, "PK\x03\x04"))
    return "the file is a zip archive (a PyTorch checkpoint or an npz?): export the model to ONNX";
  if (at(0, "\x1f\x8b")) return "the file is gzip-compressed: decompress it first";
  if (at(0, "\x28\xb5\x2f\xfd")) return "the file is zstd-compressed: decompress it first";
  if (at(0, "BZh")) return "the file is bzip2-compressed: decompress it first";
  if (at(0, "\xfd7zXZ")) return "the file is xz-compressed: decompress it first";
  if (at(0, "GGUF")) return "the file is a GGUF model, not ONNX";
  if (at(4, "TFL3")) return "the file is a TensorFlow Lite model, not ONNX";
  if (at(4, "ORTM"))
    return "the file is in ONNX Runtime's ORT format: send the ONNX model it was made from";
  if (at(0, "\x89HDF")) return "the file is HDF5 (a Keras model?), not ONNX";
  if (at(0, "\x93NUMPY")) return "the file is a NumPy array, not ONNX";
  if (head[0] === 0x80 && isBetween(head[1], 2, 5))
    return "the file is a Python pickle (a PyTorch checkpoint?), not ONNX";
  if (at(257, "ustar")) return "the file is a tar archive, not ONNX";
  if (at(0, "\x89PNG") || at(0, "\xff\xd8\xff") || at(0, "%PDF"))
    return "the file is an image or a PDF, not ONNX";
  if (isSafetensors(head, source.size))
    return "the file is safetensors: weights without a graph; export the model to ONNX";
  return sniffText(text);
}

const isBetween = (byte: number | undefined, low: number, high: number) =>
  byte !== undefined && byte >= low && byte <= high;

/** safetensors: a header length of 8 bytes, then JSON. */
function isSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 10 || head[8] !== 0x7b) return false;
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  return length <= BigInt(size) - 8n && (head[9] === 0x22 || head[9] === 0x7d);
}

/** Text has no control bytes but white space; a model of 8 bytes or more always has some. */
function sniffText(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) return undefined;
  const start = text.replace(/^\xef\xbb\xbf/, "").trimStart();
  if (start === "") return "the file holds only white space";
  if (/^<(!doctype|html|\?xml|head|body)/i.test(start)) {
    return "the file is HTML or XML, not ONNX (an error page instead of a download?)";
  }
  if (/^[[{]/.test(start)) return "the file is JSON, not ONNX";
  return "the file is text, not ONNX";
}
