/**
 * @file Cursor pages: newest first, by (created_at, id) or by a number, so that a page does not shift when rows come and
 * go. A cursor names a place, not a row, and no workspace: each list adds its own.
 */

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

const NOT_OURS = "the cursor is not one that this list gave; leave it out to start again";

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
  const after = positionOf(cursor);
  const { results } = await db
    .prepare(
      `${select} ${after ? "AND (created_at, id) < (?, ?)" : ""} ORDER BY created_at DESC, id DESC LIMIT ?`,
    )
    .bind(...bindings, ...(after ?? []), limit + 1)
    .all<Row>();
  return cut(results, limit, (row) => cursorOf([row.created_at, row.id]));
}

/** The page of `found`, of which one more than `limit` was asked for. */
export function cut<Row>(
  found: readonly Row[],
  limit: number,
  cursorAfter: (row: Row) => string,
): Page<Row> {
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  return { rows, next: found.length > limit && last ? cursorAfter(last) : undefined };
}

/** A row's place in its list: when it was made, in milliseconds, and its id. */
export type Position = readonly [createdAt: number, id: string];

export function cursorOf([createdAt, id]: Position): string {
  return btoa(`${createdAt}.${id}`).replaceAll("=", "");
}

/** @throws CursorError */
export function positionOf(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined;
  try {
    const match = /^(\d{1,16})\.(\w{1,64})$/.exec(atob(cursor));
    if (match?.[1] && match[2]) return [Number(match[1]), match[2]];
  } catch {
    // Not base64: the error below says so.
  }
  throw new CursorError(NOT_OURS);
}

/**
 * Of lists whose rows are numbered: the last one's.
 * @throws CursorError
 */
export function numberOf(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  if (!/^\d{1,15}$/.test(cursor)) throw new CursorError(NOT_OURS);
  return Number(cursor);
}
