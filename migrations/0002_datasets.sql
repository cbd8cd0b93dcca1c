CREATE TABLE datasets (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  name TEXT NOT NULL,
  -- npz, npy, safetensors, csv, parquet
  format TEXT NOT NULL,
  rows INTEGER NOT NULL,
  -- Of the file as it was sent.
  sha256 TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX datasets_by_workspace ON datasets (workspace_id, created_at, id);

-- One R2 object per field: its rows back to back, little-endian.
CREATE TABLE dataset_fields (
  dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  dtype TEXT NOT NULL,
  -- JSON: sizes of one row
  shape TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  object_key TEXT NOT NULL UNIQUE,
  PRIMARY KEY (dataset_id, position)
);
