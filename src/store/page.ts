/** @file Cursor pages: newest first, by (created_at, id), so that a page does not shift when rows come and go. */

export interface PageRequest {
  limit: number;
  cursor: string | undefined;
}

export interface Page<Row> {
  rows: Row[];
  /** Where the next page begins; `undefined` on the last. */
  next: string | undefined;
}

/** A cursor that this service did not make. */
export class CursorError extends RangeError {
  override readonly name = "CursorError";
}

/**
 * One page of `select`, a query that ends in a WHERE clause and gives `created_at` and `id`.
 * @throws CursorError
 */
export async function page<Row extends { id: string; created_at: number }>(
  db: D1Database,
  select: string,
  bindings: readonly (string | number)[],
  { limit, cursor }: PageRequest,
): Promise<Page<Row>> {
  const after = cursor === undefined ? undefined : decode(cursor);
  const { results } = await db
    .prepare(
      `${select} ${after ? "AND (created_at, id) < (?, ?)" : ""} ORDER BY created_at DESC, id DESC LIMIT ?`,
    )
    .bind(...bindings, ...(after ?? []), limit + 1)
    .all<Row>();
  const rows = results.slice(0, limit);
  const last = rows.at(-1);
  return { rows, next: results.length > limit && last ? encode(last) : undefined };
}

function encode(row: { id: string; created_at: number }): string {
  return btoa(`${row.created_at}.${row.id}`).replaceAll("=", "");
}

function decode(cursor: string): [number, string] {
  try {
    const match = /^(\d{1,16})\.(\w{1,64})$/.exec(atob(cursor));
    if (match?.[1] && match[2]) return [Number(match[1]), match[2]];
  } catch {
    // Not base64: the error below says so.
  }
  throw new CursorError("the cursor is not one that a list gave; leave it out to start again");
}
