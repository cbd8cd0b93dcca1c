/** @file Tensor data in other files: the location, kept inside the model's folder, and its range. */
import { dataTypeName, elementCount, rawByteLength } from "./data-type.ts";
import { OnnxError } from "./errors.ts";
import type { PendingExternal } from "./reading.ts";
import type { ByteSource } from "./source.ts";
import { RangeData } from "./tensor-data.ts";

/** Opens a file of external data by its location (see `checkLocation`), or says it is not there. */
export type OpenExternal = (location: string) => Promise<ByteSource | undefined>;

/**
 * A location that stays inside the model's folder, with `/` between its parts and no `.` ones.
 * @throws OnnxError when it is absolute, climbs out, or is no path at all
 */
export function checkLocation(location: string, tensor: string, offset?: number): string {
  const fail = (why: string) =>
    new OnnxError(
      "external_data",
      `the external data of "${tensor}" is at "${location.slice(0, 200)}": ${why}`,
      offset,
    );
  if (location === "") throw fail("no location is given");
  if (location.length > 1024) throw fail("the path is longer than 1024 characters");
  if (location.includes("\0")) throw fail("the path holds a NUL");
  if (/^([/\\]|[a-zA-Z]:|[a-zA-Z][a-zA-Z0-9+.-]*:\/\/)/.test(location)) {
    throw fail("the path must be relative to the model");
  }
  const parts = location.split(/[/\\]/).filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw fail("the path must not leave the model's folder");
  if (parts.length === 0) throw fail("the path names no file");
  return parts.join("/");
}

/**
 * Gives each pending tensor its range of an external file.
 * @throws OnnxError when a file is missing, or too short for the range
 */
export async function resolveExternal(
  pending: readonly PendingExternal[],
  open: OpenExternal | undefined,
): Promise<void> {
  const files = new Map<string, ByteSource>();
  for (const { tensor, entries, offset: at } of pending) {
    const fail = (why: string) =>
      new OnnxError("external_data", `the external data of "${tensor.name}" ${why}`, at);
    const value = (key: string) => entries.find((entry) => entry.key === key)?.value;
    const location = checkLocation(value("location") ?? "", tensor.name, at);
    const file = files.get(location) ?? (await open?.(location));
    if (!file) throw fail(`is in the file "${location}", which was not given`);
    files.set(location, file);
    const offset = wholeNumber(value("offset") ?? "0");
    const need = rawByteLength(tensor.dataType, elementCount(tensor.dims));
    const length = wholeNumber(value("length") ?? String(need));
    if (offset === undefined || length === undefined) {
      throw fail(`has the offset "${value("offset")}" and the length "${value("length")}"`);
    }
    if (length !== need) {
      throw fail(
        `is ${length} bytes, dims [${tensor.dims}] of ${dataTypeName(tensor.dataType)} need ${need}`,
      );
    }
    if (offset + length > file.size) {
      throw fail(`is ${length} bytes at ${offset} of "${location}", which has only ${file.size}`);
    }
    tensor.data = new RangeData(file, offset, length);
  }
}

function wholeNumber(text: string): number | undefined {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}
