-- Times are milliseconds since 1970. Every row of a resource names its workspace, and every query filters by it.

CREATE TABLE workspaces (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

-- API keys. Only the SHA-256 of a key is kept; "hint" is its first characters, to tell keys apart in lists.
CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX keys_by_workspace ON keys (workspace_id, created_at, id);

-- R2 objects by content. R2 cannot rename, and the hash of a streamed body is known only at its end:
-- so objects have random keys, and this table addresses them by SHA-256. One row, one object.
CREATE TABLE blobs (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  sha256 TEXT NOT NULL,
  object_key TEXT NOT NULL UNIQUE,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, sha256)
);

-- R2 objects (or unfinished multipart uploads) that belong to nothing yet, or no longer.
-- A row is written before its object, so bytes that a crash leaves behind are found and deleted.
CREATE TABLE temporary_objects (
  object_key TEXT PRIMARY KEY,
  multipart_id TEXT,
  owner TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX temporary_objects_by_owner ON temporary_objects (owner);
CREATE INDEX temporary_objects_by_expiry ON temporary_objects (expires_at);

CREATE TABLE models (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  name TEXT NOT NULL,
  -- The job that made it, if one did.
  job_id TEXT,
  -- JSON: opsets, inputs, outputs, … (ModelDescription in src/store/models.ts)
  description TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX models_by_workspace ON models (workspace_id, created_at, id);

-- A model's files: the model itself at location '', external data at the location the model names.
CREATE TABLE model_files (
  model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  workspace_id TEXT NOT NULL,
  location TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (model_id, location),
  FOREIGN KEY (workspace_id, sha256) REFERENCES blobs (workspace_id, sha256)
);
CREATE INDEX model_files_by_content ON model_files (workspace_id, sha256);

-- Models that arrive in parts.
CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  name TEXT NOT NULL,
  -- open, completing, completed, aborted
  state TEXT NOT NULL,
  -- When the completion began, so that one that died can be taken up again.
  claimed_at INTEGER,
  model_id TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX uploads_by_workspace ON uploads (workspace_id, created_at, id);

CREATE TABLE upload_files (
  upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
  location TEXT NOT NULL,
  object_key TEXT NOT NULL,
  multipart_id TEXT NOT NULL,
  PRIMARY KEY (upload_id, location)
);

CREATE TABLE upload_parts (
  upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
  location TEXT NOT NULL,
  number INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  etag TEXT NOT NULL,
  PRIMARY KEY (upload_id, location, number)
);

-- A mirror of the jobs' Durable Objects, for lists; the objects hold the truth.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  operation TEXT NOT NULL,
  model_id TEXT NOT NULL,
  state TEXT NOT NULL,
  -- JSON: the job as the API shows it, as of its last change of state.
  view TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX jobs_by_workspace ON jobs (workspace_id, created_at, id);
CREATE INDEX jobs_by_model ON jobs (model_id, state);

-- Answers to requests that carried an Idempotency-Key.
CREATE TABLE idempotency_keys (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  key TEXT NOT NULL,
  -- Method and path with query; a key belongs to one call.
  call TEXT NOT NULL,
  -- SHA-256 of the body.
  body_sha256 TEXT NOT NULL,
  -- The answer; NULL while the first request is under way.
  status INTEGER,
  headers TEXT,
  body TEXT,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
