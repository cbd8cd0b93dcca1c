-- Where events are sent to. The secret is with the endpoint's Durable Object, which signs.
CREATE TABLE webhook_endpoints (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  url TEXT NOT NULL,
  -- JSON: names of events, or ["*"].
  events TEXT NOT NULL,
  description TEXT NOT NULL,
  -- Why nothing is sent any more; NULL while it is.
  disabled_reason TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX webhook_endpoints_by_workspace ON webhook_endpoints (workspace_id, created_at, id);

-- What happened and was not handed to the endpoints yet. Rows are written by the triggers below, in the transaction
-- that changes what they tell of, so that nothing happens without its event and nothing is told that did not happen.
CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  workspace_id TEXT NOT NULL,
  type TEXT NOT NULL,
  -- JSON
  data TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX events_by_workspace ON events (workspace_id, number);

CREATE TRIGGER jobs_queued AFTER INSERT ON jobs
WHEN EXISTS (SELECT 1 FROM webhook_endpoints WHERE workspace_id = NEW.workspace_id)
BEGIN
  INSERT INTO events (id, workspace_id, type, data, created_at)
  VALUES ('evt_' || lower(hex(randomblob(12))), NEW.workspace_id, 'job.queued', NEW.view, unixepoch() * 1000);
END;

CREATE TRIGGER jobs_changed AFTER UPDATE OF state ON jobs
WHEN NEW.state <> OLD.state AND EXISTS (SELECT 1 FROM webhook_endpoints WHERE workspace_id = NEW.workspace_id)
BEGIN
  INSERT INTO events (id, workspace_id, type, data, created_at)
  VALUES ('evt_' || lower(hex(randomblob(12))), NEW.workspace_id, 'job.' || NEW.state, NEW.view, unixepoch() * 1000);
END;

CREATE TRIGGER models_created AFTER INSERT ON models
WHEN EXISTS (SELECT 1 FROM webhook_endpoints WHERE workspace_id = NEW.workspace_id)
BEGIN
  INSERT INTO events (id, workspace_id, type, data, created_at)
  VALUES ('evt_' || lower(hex(randomblob(12))), NEW.workspace_id, 'model.created',
    json_object('id', NEW.id, 'object', 'model', 'name', NEW.name, 'job_id', NEW.job_id), unixepoch() * 1000);
END;

CREATE TRIGGER models_deleted AFTER DELETE ON models
WHEN EXISTS (SELECT 1 FROM webhook_endpoints WHERE workspace_id = OLD.workspace_id)
BEGIN
  INSERT INTO events (id, workspace_id, type, data, created_at)
  VALUES ('evt_' || lower(hex(randomblob(12))), OLD.workspace_id, 'model.deleted',
    json_object('id', OLD.id, 'object', 'model', 'name', OLD.name, 'job_id', OLD.job_id), unixepoch() * 1000);
END;
