/** @file Initializers that are equal byte for byte become one. */
import { DataType } from "../../onnx/data-type.ts";
import type { Graph, Tensor } from "../../onnx/model.ts";
import { BytesData, RangeData, type TensorData } from "../../onnx/tensor-data.ts";
import type { Pass } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** Tells most tensors apart: those with equal beginnings are compared to their ends. */
const PREFIX_BYTES = 4096;
const CHUNK_BYTES = 1 << 20;
/** Different tensors with one beginning that others are compared with. */
const MAX_ALIKE = 16;

/**
 * Of two equal ones the first stays, the main graph's before a subgraph's. Reads the beginning of each tensor that has the type and
 * dims of another, and all of it where the beginnings are equal; 1 MiB at a time.
 */
export const mergeInitializers: Pass = async ({ model, notes }) => {
  const wiring = new Wiring(model);
  let count = 0;
  let tied = 0;
  for (const group of sameForm(wiring)) {
    const firsts = new Map<number, Candidate[]>();
    for (const candidate of group) {
      const prefix = await prefixHash(candidate.tensor.data);
      const kept = firsts.get(prefix) ?? [];
      firsts.set(prefix, kept);
      const first = await findEqual(candidate, kept, model.graph);
      if (!first && kept.length < MAX_ALIKE) kept.push(candidate);
      else if (first && wiring.canSubstitute(candidate.tensor.name, first.tensor.name)) {
        wiring.substitute(candidate.tensor.name, first.tensor.name);
        candidate.graph.initializers.delete(candidate.tensor.name);
        count++;
        if (isTrainable(candidate.tensor)) tied++;
      }
    }
  }
  if (tied > 0) {
    notes.add(
      "equal float weights are now one: a training would train them as one (skip_passes=merge_initializers keeps them apart)",
    );
  }
  return count;
};

interface Candidate {
  graph: Graph;
  tensor: Tensor;
}

/** Initializers of equal type and dims that can be compared, where there are several. */
function sameForm(wiring: Wiring): Candidate[][] {
  const groups = new Map<string, Candidate[]>();
  for (const graph of wiring.graphs) {
    for (const [name, tensor] of graph.initializers) {
      const { data, dataType, dims } = tensor;
      const isStored = data instanceof BytesData || data instanceof RangeData;
      if (!isStored || dataType === DataType.string || !wiring.constant(name)) continue;
      const key = `${dataType}:${dims}`;
      const group = groups.get(key);
      if (group) group.push({ graph, tensor: { ...tensor, name } });
      else groups.set(key, [{ graph, tensor: { ...tensor, name } }]);
    }
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** FNV-1a of the beginning, in 32 bits. */
async function prefixHash(data: TensorData): Promise<number> {
  const bytes = new Uint8Array(Math.min(PREFIX_BYTES, data.byteLength));
  await data.read(0, bytes);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/** One of the candidate's graph or of the main one: those it certainly sees. */
async function findEqual(
  { graph, tensor }: Candidate,
  kept: readonly Candidate[],
  outermost: Graph,
): Promise<Candidate | undefined> {
  for (const other of kept) {
    if (other.graph !== graph && other.graph !== outermost) continue;
    if (await areEqual(tensor.data, other.tensor.data)) return other;
  }
  return undefined;
}

async function areEqual(a: TensorData, b: TensorData): Promise<boolean> {
  const left = new Uint8Array(Math.min(CHUNK_BYTES, a.byteLength));
  const right = new Uint8Array(left.length);
  for (let done = 0; done < a.byteLength;) {
    const length = Math.min(CHUNK_BYTES, a.byteLength - done);
    await a.read(done, left.subarray(0, length));
    await b.read(done, right.subarray(0, length));
    if (!haveEqual(left, right, length)) return false;
    done += length;
  }
  return true;
}

/** The first bytes of both buffers, four at a time. */
function haveEqual(left: Uint8Array, right: Uint8Array, length: number): boolean {
  const words = Math.floor(length / 4);
  const [a, b] = [new Int32Array(left.buffer, 0, words), new Int32Array(right.buffer, 0, words)];
  for (let i = 0; i < words; i++) if (a[i] !== b[i]) return false;
  for (let i = words * 4; i < length; i++) if (left[i] !== right[i]) return false;
  return true;
}

function isTrainable({ dataType, dims }: Tensor): boolean {
  const isFloat =
    dataType === DataType.float32 || dataType === DataType.float16 || dataType === DataType.float64;
  return isFloat && dims.length > 0;
}
