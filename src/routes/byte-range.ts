/** @file Conditional and range requests on immutable bytes (RFC 9110 §13, §14): strong ETags, one range. */

export interface ByteRange {
  offset: number;
  length: number;
}

export type Selection =
  | { kind: "whole" }
  | { kind: "part"; range: ByteRange }
  | { kind: "not_modified" }
  | { kind: "precondition_failed" }
  | { kind: "not_satisfiable" };

/** What a GET or HEAD of `size` bytes with `etag` (quoted) is to be answered with. */
export function selectBytes(headers: Headers, etag: string, size: number): Selection {
  const failed = checkConditions(headers, etag);
  if (failed) return { kind: failed };
  const ifRange = headers.get("If-Range");
  const range = headers.get("Range");
  if (range === null || (ifRange !== null && ifRange.trim() !== etag)) return { kind: "whole" };
  return parseRange(range, size);
}

/** Whether a condition stops a GET or HEAD of what has `etag` (quoted, strong). */
export function checkConditions(
  headers: Headers,
  etag: string,
): "precondition_failed" | "not_modified" | undefined {
  const ifMatch = headers.get("If-Match");
  if (ifMatch !== null && !matches(ifMatch, etag, "strong")) return "precondition_failed";
  const ifNoneMatch = headers.get("If-None-Match");
  if (ifNoneMatch !== null && matches(ifNoneMatch, etag, "weak")) return "not_modified";
  return undefined;
}

function matches(list: string, etag: string, comparison: "strong" | "weak"): boolean {
  return list.split(",").some((entry) => {
    const tag = entry.trim();
    return tag === "*" || tag === etag || (comparison === "weak" && tag === `W/${etag}`);
  });
}

/** Several ranges, or units other than bytes, may be ignored: the answer is the whole. */
function parseRange(header: string, size: number): Selection {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header.replaceAll(/\s/g, ""));
  const [, first = "", last = ""] = match ?? [];
  if (!match || (first === "" && last === "")) return { kind: "whole" };
  if (first === "") {
    const length = Math.min(Number(last), size);
    if (length === 0) return { kind: "not_satisfiable" };
    return { kind: "part", range: { offset: size - length, length } };
  }
  const offset = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < offset) return { kind: "whole" };
  if (offset >= size) return { kind: "not_satisfiable" };
  return { kind: "part", range: { offset, length: end - offset + 1 } };
}
