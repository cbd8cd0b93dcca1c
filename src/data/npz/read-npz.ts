/** @file NumPy's .npz (a zip of .npy arrays) and .npy as datasets: each array is a field, its first axis the rows. */
import { elementCount } from "../../onnx/data-type.ts";
import type { ByteSink, ByteSource } from "../../onnx/source.ts";
import { DatasetError, elementBytes } from "../dataset.ts";
import { chunksOf, commonRows, type DatasetPass, type DatasetPlan, rowsOfArray } from "../plan.ts";
import { MAX_FORTRAN_BYTES, writeRowMajor } from "./fortran.ts";
import { NPY_PREFIX_BYTES, type NpyHeader, readNpyHeader } from "./npy-header.ts";
import { entryBytes, readZipDirectory } from "./zip.ts";

const invalid = (message: string) => new DatasetError("invalid_dataset", message);

/** One array of a file: its name, its bytes with the header, as often as they are asked for. */
interface Npy {
  name: string;
  bytes: number;
  open: () => AsyncIterable<Uint8Array>;
}

/** @throws DatasetError naming the array at fault */
export async function readNpz(source: ByteSource): Promise<DatasetPlan> {
  const arrays: Npy[] = [];
  for (const entry of await readZipDirectory(source)) {
    if (!entry.name.endsWith(".npy")) throw invalid(`npz: "${entry.name}" is not a .npy array`);
    const name = entry.name.slice(0, -4);
    arrays.push({ name, bytes: entry.bytes, open: () => entryBytes(source, entry) });
  }
  return await planOf(arrays);
}

/** @param name of the one field */
export async function readNpyFile(source: ByteSource, name: string): Promise<DatasetPlan> {
  const open = () => chunksOf(source, 0, source.size);
  return await planOf([{ name, bytes: source.size, open }]);
}

async function planOf(files: readonly Npy[]): Promise<DatasetPlan> {
  const arrays: (ReturnType<typeof rowsOfArray> & { write: (sink: ByteSink) => Promise<void> })[] =
    [];
  for (const file of files) {
    const header = await headerOf(file);
    const { field, rows } = rowsOfArray(file.name, header.dtype, header.dims);
    const need = elementCount(header.dims) * elementBytes(header.dtype);
    if (need !== file.bytes - header.dataStart) {
      throw invalid(
        `npy: "${file.name}" has shape (${header.dims.join(", ")}) of ${header.descr}, which needs ${need} bytes; there are ${file.bytes - header.dataStart}`,
      );
    }
    const transposed = header.fortran && header.dims.length > 1;
    if (transposed && need > MAX_FORTRAN_BYTES) {
      throw new DatasetError(
        "dataset_too_large",
        `npy: "${file.name}" is in Fortran order and has ${need} bytes; above ${MAX_FORTRAN_BYTES}, save np.ascontiguousarray(array)`,
      );
    }
    const data = () => dataOf(file, header);
    arrays.push({
      field,
      rows,
      write: async (sink) => {
        if (transposed) {
          return await writeRowMajor(data, header.dims, elementBytes(header.dtype), sink);
        }
        for await (const chunk of data()) await sink.write(chunk);
      },
    });
  }
  const rows = commonRows(arrays);
  return {
    fields: arrays.map(({ field }) => field),
    rows,
    passes: arrays.map(({ write }, index): DatasetPass => ({
      fields: [index],
      write: async ([sink]) => {
        if (sink) await write(sink);
      },
    })),
  };
}

async function headerOf({ name, open }: Npy): Promise<NpyHeader> {
  const prefix = new Uint8Array(NPY_PREFIX_BYTES);
  let length = 0;
  for await (const chunk of open()) {
    const part = chunk.subarray(0, prefix.length - length);
    prefix.set(part, length);
    length += part.length;
    if (length === prefix.length) break;
  }
  try {
    return readNpyHeader(prefix.subarray(0, length));
  } catch (error) {
    if (error instanceof DatasetError || !(error instanceof RangeError)) throw error;
    throw invalid(`"${name}": ${error.message}`);
  }
}

/** The array's bytes without the header. */
async function* dataOf(file: Npy, { dataStart }: NpyHeader): AsyncGenerator<Uint8Array> {
  let skip = dataStart;
  for await (const chunk of file.open()) {
    const data = chunk.subarray(skip);
    skip -= chunk.length - data.length;
    if (data.length > 0) yield data;
  }
}
