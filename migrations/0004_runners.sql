-- What runners connect with: short-lived, for one workspace, revocable. Only the SHA-256 of a token is kept.
CREATE TABLE runner_tokens (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER
);
CREATE INDEX runner_tokens_by_workspace ON runner_tokens (workspace_id, created_at, id);
CREATE INDEX runner_tokens_by_expiry ON runner_tokens (expires_at);
