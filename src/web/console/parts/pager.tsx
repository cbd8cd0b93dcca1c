/** @file A list that comes in pages: the first at once, the others when asked for. */
import { useState } from "preact/hooks";
import { asError, useLoad } from "../use-load.ts";

export interface PageOf<T> {
  data: T[];
  next_cursor: string | null;
}

export interface Pages<T> {
  rows: T[];
  loaded: boolean;
  error: Error | undefined;
  /** There are none after these. */
  more: (() => void) | undefined;
  reload: () => void;
}

/** @param load takes the query of a page: where it begins, unless it is the first */
export function usePages<T>(
  load: (query: { cursor?: string }) => Promise<PageOf<T> | undefined>,
  dependencies: readonly unknown[],
): Pages<T> {
  const [later, setLater] = useState<{ of: unknown; rows: T[]; cursor: string | null }>();
  const [problem, setProblem] = useState<Error>();
  const { data, error, reload } = useLoad(async () => await load({}), dependencies);
  const known = later && later.of === data ? later : undefined;
  const cursor = known ? known.cursor : (data?.next_cursor ?? null);
  const more = async () => {
    try {
      const page = await load(cursor === null ? {} : { cursor });
      const rows = [...(known?.rows ?? []), ...(page?.data ?? [])];
      setLater({ of: data, rows, cursor: page?.next_cursor ?? null });
    } catch (reason) {
      setProblem(asError(reason));
    }
  };
  return {
    rows: [...(data?.data ?? []), ...(known?.rows ?? [])],
    loaded: data !== undefined,
    error: error ?? problem,
    more: cursor === null ? undefined : () => void more(),
    reload,
  };
}

export function MoreButton({ pages }: { pages: Pages<unknown> }) {
  if (!pages.more) return null;
  return (
    <button type="button" onClick={pages.more}>
      Show more
    </button>
  );
}
