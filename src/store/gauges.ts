/** @file How much there is of everything, for /metrics. */

export interface Gauges {
  models: number;
  datasets: number;
  stored_bytes: number;
  events_waiting: number;
  keys: number;
  jobs: { state: string; count: number }[];
}

/** @param workspace `undefined`: of all workspaces */
export async function readGauges(db: D1Database, workspace: string | undefined): Promise<Gauges> {
  const where = workspace === undefined ? "" : "WHERE workspace_id = ?1";
  const within = (sql: string) => {
    const statement = db.prepare(`${sql} ${where}`);
    return workspace === undefined ? statement : statement.bind(workspace);
  };
  const counted = (table: string) => within(`SELECT count(*) AS value FROM ${table}`);
  const grouped = db.prepare(`SELECT state, count(*) AS count FROM jobs ${where} GROUP BY state`);
  const [models, datasets, bytes, events, keys, jobs] = await db.batch([
    counted("models"),
    counted("datasets"),
    within("SELECT coalesce(sum(bytes), 0) AS value FROM blobs"),
    counted("events"),
    counted("keys"),
    workspace === undefined ? grouped : grouped.bind(workspace),
  ]);
  const value = (result: D1Result | undefined) =>
    (result?.results[0] as { value: number } | undefined)?.value ?? 0;
  return {
    models: value(models),
    datasets: value(datasets),
    stored_bytes: value(bytes),
    events_waiting: value(events),
    keys: value(keys),
    jobs: (jobs?.results ?? []) as Gauges["jobs"],
  };
}
