/** @file Lists that come in pages with a cursor, as one iteration. */

export interface ListOptions {
  /** Entries of one page. */
  limit?: number;
}

interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

export async function* pages<T>(
  { limit }: ListOptions,
  page: (query: { limit?: number; cursor?: string }) => Promise<Page<T> | undefined>,
): AsyncGenerator<T> {
  let cursor: string | null = null;
  do {
    const answer: Page<T> | undefined = await page({
      ...(limit === undefined ? {} : { limit }),
      ...(cursor === null ? {} : { cursor }),
    });
    if (!answer) return;
    yield* answer.data;
    cursor = answer.next_cursor;
  } while (cursor !== null);
}
