/** @file #/train: a model, a dataset, and how. `?model=`, `?dataset=` choose; `?job=&step=` goes on from a checkpoint. */
import type { Dataset, Model } from "../../../../sdk/typescript/src/index.ts";
import { Page } from "../parts/page.tsx";
import { Refused } from "../parts/problem.tsx";
import { optionsOf, type Schema } from "../parts/schema.ts";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";
import { TrainingForm } from "./training-form.tsx";

export interface Choices {
  models: Model[];
  datasets: Dataset[];
  schemas: Record<string, Schema>;
}

/** Entries to choose from, the newest. */
const LISTED = 100;

export function TrainPage({ query }: { query: URLSearchParams }) {
  const hone = useHone();
  const { data, error } = useLoad(async (): Promise<Choices> => {
    const params = { query: { limit: LISTED } };
    const [models, datasets, schemas] = await Promise.all([
      hone.api.GET("/v1/models", { params }),
      hone.api.GET("/v1/datasets", { params }),
      optionsOf("TrainingRequest"),
    ]);
    return { models: models.data?.data ?? [], datasets: datasets.data?.data ?? [], schemas };
  }, []);
  const [job, step] = [query.get("job"), query.get("step")];
  return (
    <Page title="Train">
      <p>
        Fine-tunes a stored model on a stored <a href={to(["datasets"])}>dataset</a>, on one or more
        ranks.
      </p>
      <Refused error={error} />
      {!data && !error && <p class="faint">Loading…</p>}
      {data && (
        <TrainingForm
          choices={data}
          model={query.get("model") ?? undefined}
          dataset={query.get("dataset") ?? undefined}
          resume={job && step ? { job, step: Number(step) } : undefined}
        />
      )}
    </Page>
  );
}
