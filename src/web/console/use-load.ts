/** @file What a page needs from the API, loaded as the page opens. */
import { useCallback, useEffect, useState } from "preact/hooks";

export interface Loaded<T> {
  data: T | undefined;
  error: Error | undefined;
  reload: () => void;
}

/**
 * Calls `load` when a dependency changes; an answer to an earlier one is dropped. While it is repeated, what was
 * there stays.
 * @param everyMs repeats it
 */
export function useLoad<T>(
  load: (signal: AbortSignal) => Promise<T>,
  dependencies: readonly unknown[],
  everyMs?: number,
): Loaded<T> {
  const [data, setData] = useState<T>();
  const [error, setError] = useState<Error>();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const once = async () => {
      try {
        const answer = await load(abort.signal);
        if (abort.signal.aborted) return;
        setData(answer);
        setError(undefined);
      } catch (reason) {
        if (abort.signal.aborted) return;
        setError(asError(reason));
      }
      if (everyMs !== undefined) timer = setTimeout(() => void once(), everyMs);
    };
    void once();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [...dependencies, turn]);
  return { data, error, reload: useCallback(() => setTurn((value) => value + 1), []) };
}

export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Something that a button does: whether it is under way, and what went wrong. */
export function useAction<Given extends unknown[]>(
  act: (...given: Given) => Promise<void>,
): { run: (...given: Given) => void; busy: boolean; error: Error | undefined } {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const run = (...given: Given) => {
    setBusy(true);
    setError(undefined);
    act(...given)
      .catch((reason: unknown) => setError(asError(reason)))
      .finally(() => setBusy(false));
  };
  return { run, busy, error };
}
