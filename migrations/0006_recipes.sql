-- Steps under a name; each version is a row of its own. A deleted one stays as a row, so that no version comes twice.
CREATE TABLE recipes (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  description TEXT NOT NULL,
  -- JSON: RecipeStep[] in src/jobs/recipes/recipe.ts
  steps TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  deleted_at INTEGER,
  UNIQUE (workspace_id, name, version)
);
CREATE INDEX recipes_by_workspace ON recipes (workspace_id, created_at, id);

-- Which job does, or did, a step on a model's content: the same step on the same bytes is not done twice.
CREATE TABLE step_results (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  -- SHA-256 of the operation, its options in canonical JSON, and the hashes of the model's files.
  key TEXT NOT NULL,
  job_id TEXT NOT NULL,
  PRIMARY KEY (workspace_id, key)
);

-- A step's result is found by the job that made it.
CREATE INDEX models_by_job ON models (job_id) WHERE job_id IS NOT NULL;

-- Triggers: what comes in at POST /v1/hooks/{id}. The secret is encrypted.
CREATE TABLE hooks (
  id TEXT PRIMARY KEY,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  secret TEXT NOT NULL,
  -- JSON: filter, model, recipe, deliver (HookConfig in src/jobs/hooks/hook.ts)
  config TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX hooks_by_workspace ON hooks (workspace_id, created_at, id);

-- What came in, and what became of it: written before it is acknowledged.
CREATE TABLE hook_deliveries (
  id TEXT PRIMARY KEY,
  hook_id TEXT NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
  workspace_id TEXT NOT NULL,
  -- A delivery that comes again has the same.
  delivery_key TEXT NOT NULL,
  source_id TEXT,
  event TEXT NOT NULL,
  payload_sha256 TEXT NOT NULL,
  payload_bytes INTEGER NOT NULL,
  -- ignored, queued, working, done, failed
  state TEXT NOT NULL,
  reason TEXT,
  -- JSON: where the model is (HookWork in src/jobs/hooks/hook.ts); NULL for an ignored one.
  work TEXT,
  -- Named beforehand, so that a second attempt finds what the first one finished.
  model_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- When it was last queued or begun: one that rests too long is queued again.
  touched_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (hook_id, delivery_key)
);
CREATE INDEX hook_deliveries_by_hook ON hook_deliveries (hook_id, created_at, id);
CREATE INDEX hook_deliveries_waiting ON hook_deliveries (touched_at) WHERE state IN ('queued', 'working');
