/** @file Which job does, or did, a step on a model's content. */

/** The job that has the step: the one that asks, unless another has it. */
export async function claimStep(
  db: D1Database,
  workspace: string,
  key: string,
  job: string,
): Promise<string> {
  await db
    .prepare("INSERT OR IGNORE INTO step_results (workspace_id, key, job_id) VALUES (?, ?, ?)")
    .bind(workspace, key, job)
    .run();
  return (await findStep(db, workspace, key)) ?? job;
}

/** Takes the step over from a job that came to nothing, unless another was faster. */
export async function takeStep(
  db: D1Database,
  workspace: string,
  key: string,
  from: string,
  job: string,
): Promise<void> {
  await db
    .prepare(
      "UPDATE step_results SET job_id = ?4 WHERE workspace_id = ?1 AND key = ?2 AND job_id = ?3",
    )
    .bind(workspace, key, from, job)
    .run();
}

export async function findStep(
  db: D1Database,
  workspace: string,
  key: string,
): Promise<string | undefined> {
  const row = await db
    .prepare("SELECT job_id FROM step_results WHERE workspace_id = ? AND key = ?")
    .bind(workspace, key)
    .first<{ job_id: string }>();
  return row?.job_id;
}

/** The model that a job made, if it is there. */
export async function modelOfJob(
  db: D1Database,
  workspace: string,
  job: string,
): Promise<string | undefined> {
  const row = await db
    .prepare("SELECT id FROM models WHERE job_id = ? AND workspace_id = ? LIMIT 1")
    .bind(job, workspace)
    .first<{ id: string }>();
  return row?.id;
}
