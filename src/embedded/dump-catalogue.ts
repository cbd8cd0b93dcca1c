/**
 * @file The catalogue as SQL, as `wrangler d1 export` and `wrangler d1 execute --file` have it: tables, rows, and only
 * then indexes and triggers, so that rows that come back are no news.
 */

const ROWS_AT_ONCE = 500;
const STATEMENTS_AT_ONCE = 100;
/** As wrangler makes it: a catalogue may move between one machine and Cloudflare. */
const MIGRATIONS = `CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`;

interface Entry {
  type: "table" | "index" | "trigger";
  name: string;
  sql: string;
}

/** Statements, each with its semicolon; a table's rows after those of the tables that it refers to. */
export async function* dumpCatalogue(db: D1Database): AsyncGenerator<string> {
  // In the order in which they were made, so that what is referred to comes first.
  const { results } = await db
    .prepare(
      `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
       AND name NOT LIKE '_cf_%' ORDER BY rowid`,
    )
    .all<Entry>();
  const tables = results.filter(({ type }) => type === "table");
  yield "PRAGMA defer_foreign_keys = TRUE;";
  for (const { name, sql } of tables) {
    yield `${name === "d1_migrations" ? MIGRATIONS : sql};`;
  }
  for (const { name } of tables) {
    if (name !== "d1_migrations") yield* rowsOf(db, name, "*");
    else yield* rowsOf(db, name, "name");
  }
  for (const { type, sql } of results) if (type !== "table") yield `${sql};`;
}

async function* rowsOf(db: D1Database, table: string, columns: string): AsyncGenerator<string> {
  for (let after = -1; ;) {
    const { results } = await db
      .prepare(
        `SELECT rowid AS "rowid of it", ${columns} FROM "${table}" WHERE rowid > ? ORDER BY rowid LIMIT ?`,
      )
      .bind(after, ROWS_AT_ONCE)
      .all<Record<string, SqlValue>>();
    for (const { "rowid of it": rowid, ...row } of results) {
      after = Number(rowid);
      const names = Object.keys(row).map((name) => `"${name}"`);
      const values = Object.values(row).map(literal);
      yield `INSERT INTO "${table}" (${names.join(", ")}) VALUES (${values.join(", ")});`;
    }
    if (results.length < ROWS_AT_ONCE) return;
  }
}

/** As D1 answers it: a blob is the list of its bytes. */
type SqlValue = null | number | string | number[];

function literal(value: SqlValue): string {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return `X'${Buffer.from(value).toString("hex")}'`;
  // A zero byte would end the statement.
  if (value.includes("\0")) return `CAST(X'${Buffer.from(value).toString("hex")}' AS TEXT)`;
  return `'${value.replaceAll("'", "''")}'`;
}

/** Runs a dump's statements. @throws Error where there is a catalogue already */
export async function loadCatalogue(db: D1Database, statements: readonly string[]): Promise<void> {
  const known = await db
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'workspaces'")
    .first();
  if (known) throw new Error("backup: there is a catalogue already");
  for (let at = 0; at < statements.length; at += STATEMENTS_AT_ONCE) {
    const some = statements.slice(at, at + STATEMENTS_AT_ONCE);
    await db.batch(some.map((statement) => db.prepare(statement)));
  }
}
