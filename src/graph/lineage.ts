/**
 * @file How a model was made, in the model itself: an entry of metadata_props with one step for each operation since
 * the file that was first given. Whoever has that file and these steps can make the model again, byte for byte.
 */
import { canonicalJson } from "../canonical-json.ts";
import { encodeEntries } from "../onnx/encode-graph.ts";
import { Encoder } from "../onnx/encoder.ts";
import type { Model } from "../onnx/model.ts";
import { MemorySink } from "../onnx/source.ts";
import { VERSION } from "../version.ts";

export const LINEAGE = "hone.lineage";

export interface LineageStep {
  /** SHA-256 of the file that it was made of. */
  parent: string;
  operation: string;
  /** As they were asked for. Datasets and models in them by the SHA-256 of their files, where they are known. */
  options: Record<string, unknown>;
}

/** Of files that are made anew again and again, the latest steps stay. */
const MAX_STEPS = 32;
/** ModelProto.metadata_props. */
const METADATA_FIELD = 14;

/** Adds a step to what the model says of its making. */
export function addLineage(model: Model, step: LineageStep): void {
  const entry = takeLineage(model, step);
  model.metadata.push(entry);
}

/**
 * The same for a file that is planned, or written, already: what is to follow it. Protobuf takes the fields of a message
 * in any order. The model loses its entry, which this one replaces.
 */
export async function lineageTrailer(model: Model, step: LineageStep): Promise<Uint8Array> {
  const out = new Encoder();
  encodeEntries(out, METADATA_FIELD, [takeLineage(model, step)]);
  const sink = new MemorySink(out.byteLength);
  await out.write(sink);
  return sink.bytes;
}

function takeLineage(model: Model, { parent, operation, options }: LineageStep) {
  const before = model.metadata.find(({ key }) => key === LINEAGE)?.value;
  model.metadata = model.metadata.filter(({ key }) => key !== LINEAGE);
  const step = { parent, operation, options, hone: VERSION };
  const steps = [...stepsIn(before), step].slice(-MAX_STEPS);
  return { key: LINEAGE, value: canonicalJson(steps) };
}

/** None where somebody else wrote something else there. */
function stepsIn(value: string | undefined): unknown[] {
  try {
    const steps: unknown = JSON.parse(value ?? "[]");
    return Array.isArray(steps) ? steps : [];
  } catch {
    return [];
  }
}
