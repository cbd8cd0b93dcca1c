-- What a job reads beside its model (datasets, a teacher): kept until the job is over.
CREATE TABLE job_inputs (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  input_id TEXT NOT NULL,
  PRIMARY KEY (job_id, input_id)
);
CREATE INDEX job_inputs_by_input ON job_inputs (input_id);

-- JSON: what a model was made from (Lineage in src/store/models.ts); NULL for one that was sent in.
ALTER TABLE models ADD COLUMN lineage TEXT;
