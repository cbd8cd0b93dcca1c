-- What a key may do, how long it lives, and its secret before the last rotation, which works for a while longer.
ALTER TABLE keys ADD COLUMN scopes TEXT NOT NULL DEFAULT 'read,write,admin';
ALTER TABLE keys ADD COLUMN expires_at INTEGER;
-- To the minute.
ALTER TABLE keys ADD COLUMN last_used_at INTEGER;
ALTER TABLE keys ADD COLUMN previous_hash TEXT;
ALTER TABLE keys ADD COLUMN previous_until INTEGER;
CREATE UNIQUE INDEX keys_by_previous_hash ON keys (previous_hash) WHERE previous_hash IS NOT NULL;

-- Set when a workspace is being deleted: its keys are gone by then, the rest follows.
ALTER TABLE workspaces ADD COLUMN deleted_at INTEGER;

-- Who asked for which change, and what became of it; kept for 90 days.
CREATE TABLE audit_log (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  -- Method and route, e.g. POST /v1/models/:id/quantize
  action TEXT NOT NULL,
  -- Path of what was made, changed or deleted.
  resource TEXT NOT NULL,
  -- The answer's HTTP status.
  status INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX audit_log_by_workspace ON audit_log (workspace_id, created_at, id);
CREATE INDEX audit_log_by_time ON audit_log (created_at);

-- Counters of one workspace and day (UTC, YYYY-MM-DD).
CREATE TABLE usage (
  workspace_id TEXT NOT NULL,
  day TEXT NOT NULL,
  requests INTEGER NOT NULL DEFAULT 0,
  bytes_in INTEGER NOT NULL DEFAULT 0,
  bytes_out INTEGER NOT NULL DEFAULT 0,
  -- That ended, and the seconds from their begin to their end.
  jobs INTEGER NOT NULL DEFAULT 0,
  job_seconds INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, day)
);

CREATE TRIGGER jobs_used AFTER UPDATE OF state ON jobs
WHEN NEW.state IN ('succeeded', 'failed', 'canceled') AND OLD.state NOT IN ('succeeded', 'failed', 'canceled')
BEGIN
  INSERT INTO usage (workspace_id, day, jobs, job_seconds)
  VALUES (NEW.workspace_id, date('now'), 1,
    coalesce(json_extract(NEW.view, '$.finished_at') - json_extract(NEW.view, '$.started_at'), 0))
  ON CONFLICT (workspace_id, day) DO UPDATE SET jobs = jobs + 1, job_seconds = job_seconds + excluded.job_seconds;
END;
