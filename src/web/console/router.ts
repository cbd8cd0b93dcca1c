/** @file Pages by the address's fragment: `#/jobs/job_1?…`. */
import { useEffect, useState } from "preact/hooks";

export interface Route {
  /** `["jobs", "job_1"]` */
  segments: string[];
  query: URLSearchParams;
}

export function routeOf(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return {
    segments: path.split("/").filter(Boolean).map(decoded),
    query: new URLSearchParams(query),
  };
}

/** An address that somebody mistyped is still one. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The fragment of a page, for `href`. */
export function to(segments: readonly string[], query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${segments.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

export function go(segments: readonly string[], query: Record<string, string> = {}): void {
  location.hash = to(segments, query);
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    follow();
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return routeOf(hash);
}
