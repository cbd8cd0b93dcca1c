-- A recipe may have a goal instead of steps: JSON, SearchGoalOptions in src/jobs/recipes/search-order.ts. Its steps are [].
ALTER TABLE recipes ADD COLUMN goal TEXT;
