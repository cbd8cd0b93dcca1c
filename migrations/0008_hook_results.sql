-- What a hook received, as it was sent, at most its first 64 KiB; deliveries name it by its hash.
CREATE TABLE hook_payloads (
  hook_id TEXT NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
  workspace_id TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  payload TEXT NOT NULL,
  -- When it last came.
  created_at INTEGER NOT NULL,
  PRIMARY KEY (hook_id, sha256)
);
CREATE INDEX hook_payloads_by_time ON hook_payloads (created_at);

-- Where a delivery's result goes beside the catalogue, and what became of that: written before the recipe's job is.
CREATE TABLE hook_results (
  delivery_id TEXT PRIMARY KEY REFERENCES hook_deliveries (id) ON DELETE CASCADE,
  workspace_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  -- JSON: HookTarget in src/jobs/hooks/hook.ts, as it was when the job was ordered
  target TEXT NOT NULL,
  -- waiting (for the job, or for the next attempt), working, delivered, failed
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- JSON: every attempt; and the files with where each is (ResultAttempt, ResultPlace in src/jobs/hooks/hook.ts)
  log TEXT NOT NULL,
  places TEXT NOT NULL,
  -- Not to be looked at before; while it is worked on, when whoever does is given up.
  next_at INTEGER NOT NULL
);
CREATE INDEX hook_results_waiting ON hook_results (next_at) WHERE state IN ('waiting', 'working');
