/** @file One column in one row group: where its pages are, and the values of a range of its rows, page by page. */
import type { CompressionCodec, FileMetaData, PageHeader } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import type { ByteSource } from "../../onnx/source.ts";
import { bytesAt } from "../plan.ts";
import { checkThrift } from "./check-thrift.ts";
import type { Decompressors } from "./codecs.ts";
import { dictionaryValues, NullValue, pageValues, type PhysicalArray } from "./page.ts";
import { chunkRange, invalidParquet, messageOf, type ParquetColumn } from "./schema.ts";

/** A page is held packed and unpacked, and its values beside it. Writers aim at 1 MB. */
const MAX_PAGE_BYTES = 16 << 20;
const MAX_PAGE_VALUES = 2 ** 21;
/** A header has statistics of two values at most; the first read nearly always has it whole. */
const HEADER_BYTES = [512, 64 << 10];

/**
 * A column of up to so many bytes is read at once: columns that lie one behind the other are then read as one
 * stream, and not header by header.
 */
const HELD_BYTES = 2 << 20;

interface Page {
  header: PageHeader;
  bodyStart: number;
  /** Of the row group. */
  firstRow: number;
  rows: number;
}

export class ColumnChunk {
  readonly column: ParquetColumn;
  readonly codec: CompressionCodec;
  readonly decompressors: Decompressors;
  readonly #source: ByteSource;
  readonly #pages: readonly Page[];
  #dictionary: PhysicalArray | undefined;
  readonly #dictionaryPage: Page | undefined;

  private constructor(
    source: ByteSource,
    column: ParquetColumn,
    codec: CompressionCodec,
    decompressors: Decompressors,
    pages: { data: Page[]; dictionary: Page | undefined },
  ) {
    this.#source = source;
    this.column = column;
    this.codec = codec;
    this.decompressors = decompressors;
    this.#pages = pages.data;
    this.#dictionaryPage = pages.dictionary;
  }

  /**
   * Reads all page headers.
   * @throws DatasetError when the pages do not have as many values as the group has rows
   */
  static async open(
    source: ByteSource,
    column: ParquetColumn,
    group: FileMetaData["row_groups"][number],
    decompressors: Decompressors,
  ): Promise<ColumnChunk> {
    const meta = group.columns[column.leaf]?.meta_data;
    if (!meta) throw invalidParquet(`column "${column.name}" is not in every row group`);
    if (meta.type !== column.physical) {
      throw invalidParquet(
        `column "${column.name}" is ${meta.type} here, ${column.physical} in the schema`,
      );
    }
    const range = chunkRange(meta);
    const near = range.end - range.start <= HELD_BYTES ? await held(source, range) : source;
    try {
      const pages = await readPages(near, range, Number(group.num_rows));
      return new ColumnChunk(near, column, meta.codec, decompressors, pages);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw invalidParquet(`column "${column.name}": ${error.message}`);
    }
  }

  /** Gives the values of rows `start` to `end` (of the group) in pieces, each with its first row. */
  async *values(
    start: number,
    end: number,
  ): AsyncGenerator<{ firstRow: number; values: PhysicalArray }> {
    for (const page of this.#pages) {
      const { firstRow, rows } = page;
      if (firstRow + rows <= start || firstRow >= end) continue;
      const values = await this.#read(page);
      const from = Math.max(start - firstRow, 0);
      yield {
        firstRow: firstRow + from,
        values: values.subarray(from, Math.min(end - firstRow, rows)) as PhysicalArray,
      };
    }
  }

  async #read(page: Page): Promise<PhysicalArray> {
    const dictionary = this.#dictionary ?? (await this.#readDictionary());
    const body = await this.#body(page);
    const values = this.#decoded(page, () => pageValues(this, page.header, body, dictionary));
    if (values.length === page.rows) return values;
    throw invalidParquet(
      `column "${this.column.name}": a page has ${values.length} values, its header says ${page.rows}`,
    );
  }

  async #readDictionary(): Promise<PhysicalArray | undefined> {
    const page = this.#dictionaryPage;
    if (!page) return undefined;
    const body = await this.#body(page);
    this.#dictionary = this.#decoded(page, () => dictionaryValues(this, page.header, body));
    return this.#dictionary;
  }

  /** Decoders meet bytes of all kinds, and some throw bare Errors: here all of them are the file's fault. */
  #decoded(page: Page, decode: () => PhysicalArray): PhysicalArray {
    try {
      return decode();
    } catch (error) {
      const name = `column "${this.column.name}"`;
      if (!(error instanceof NullValue)) throw invalidParquet(`${name}: ${messageOf(error)}`);
      throw invalidParquet(
        `${name} is null in row ${page.firstRow + error.row} of its row group; fill or drop nulls`,
      );
    }
  }

  async #body({ header, bodyStart }: Page): Promise<Uint8Array> {
    return await bytesAt(this.#source, bodyStart, header.compressed_page_size);
  }
}

async function readPages(
  source: ByteSource,
  { start, end }: { start: number; end: number },
  rows: number,
): Promise<{ data: Page[]; dictionary: Page | undefined }> {
  const data: Page[] = [];
  let dictionary: Page | undefined;
  let firstRow = 0;
  for (let at = start; firstRow < rows;) {
    const { header, length } = await readHeader(source, at, end);
    const bodyStart = at + length;
    const packed = header.compressed_page_size;
    if (!(isSize(packed) && bodyStart + packed <= end)) {
      throw new RangeError(
        `a page of ${packed} bytes passes the limit of ${MAX_PAGE_BYTES} or its column's end`,
      );
    }
    const unpacked = header.uncompressed_page_size;
    if (!isSize(unpacked)) {
      throw new RangeError(
        `a page unpacks to ${unpacked} bytes, at most ${MAX_PAGE_BYTES} are read`,
      );
    }
    const count = checkedCount(header);
    const page = { header, bodyStart, firstRow, rows: count };
    if (header.type === "DICTIONARY_PAGE") {
      if (dictionary || data.length > 0) throw new RangeError("there is a second dictionary");
      dictionary = page;
    } else if (header.type === "DATA_PAGE" || header.type === "DATA_PAGE_V2") {
      data.push(page);
      firstRow += count;
    }
    at = bodyStart + packed;
  }
  if (firstRow !== rows) {
    throw new RangeError(`the pages have ${firstRow} values, the row group has ${rows} rows`);
  }
  return { data, dictionary };
}

/** A part of the source in memory, at its own offsets. */
async function held(
  source: ByteSource,
  { start, end }: { start: number; end: number },
): Promise<ByteSource> {
  const bytes = await bytesAt(source, start, end - start);
  return {
    size: source.size,
    read: async (offset, into) => {
      into.set(bytes.subarray(offset - start, offset - start + into.length));
    },
  };
}

/** Thrift says each number's type itself: one that should have 32 bits may come as a bigint. */
function isSize(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_PAGE_BYTES;
}

function checkedCount(header: PageHeader): number {
  const { num_values: count } = header.data_page_header ??
    header.data_page_header_v2 ??
    header.dictionary_page_header ?? { num_values: 0 };
  if (!(Number.isInteger(count) && count >= 0 && count <= MAX_PAGE_VALUES)) {
    throw new RangeError(`a page has ${count} values, at most ${MAX_PAGE_VALUES} are read`);
  }
  for (const length of [
    header.data_page_header_v2?.definition_levels_byte_length ?? 0,
    header.data_page_header_v2?.repetition_levels_byte_length ?? 0,
  ]) {
    if (!(Number.isInteger(length) && length >= 0)) {
      throw new RangeError(`a page has levels of ${length} bytes`);
    }
  }
  return count;
}

async function readHeader(
  source: ByteSource,
  at: number,
  end: number,
): Promise<{ header: PageHeader; length: number }> {
  let problem = "it ends before all its rows are there";
  for (const most of HEADER_BYTES) {
    const bytes = await bytesAt(source, at, Math.max(0, Math.min(most, end - at)));
    if (bytes.length === 0) break;
    try {
      const length = checkThrift(bytes, 0);
      const view = new DataView(bytes.buffer, 0, length);
      return { header: parquetHeader({ view, offset: 0 }), length };
    } catch (error) {
      problem = messageOf(error);
      if (bytes.length < most) break;
    }
  }
  throw new RangeError(`the page header at byte ${at} does not read: ${problem}`);
}
