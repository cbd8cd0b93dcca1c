/** @file #/models/{id}: what is in it, where it comes from, what can be done with it. */
import type { Model } from "../../../../sdk/typescript/src/index.ts";
import { when } from "../format.ts";
import { ConfirmButton, DownloadButton } from "../parts/buttons.tsx";
import { available } from "../parts/option-field.tsx";
import { Page } from "../parts/page.tsx";
import { Refused } from "../parts/problem.tsx";
import { optionsOf, type Schema } from "../parts/schema.ts";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction, useLoad } from "../use-load.ts";
import { Calibrate } from "./calibrate.tsx";
import { Measure } from "./measure.tsx";
import { Optimize } from "./optimize.tsx";
import { ModelSummary } from "./model-summary.tsx";
import { Search } from "./search.tsx";

export function ModelPage({ id }: { id: string }) {
  const hone = useHone();
  // The forms' fields come with the model: what comes later pushes down what is below.
  const { data, error } = useLoad(async () => {
    const [model, calibration, goal, benchmark] = await Promise.all([
      hone.models.get(id),
      optionsOf("CalibrateRequest"),
      optionsOf("SearchGoal"),
      optionsOf("BenchmarkRequest"),
    ]);
    return { model, calibration, goal, backends: available(benchmark["backend"] ?? {}) };
  }, [id]);
  return (
    <Page title={data?.model.name ?? id} kicker={<a href={to(["models"])}>Models</a>}>
      <Refused error={error} />
      {data && <Contents {...data} />}
    </Page>
  );
}

function Contents({
  model,
  calibration,
  goal,
  backends,
}: {
  model: Model;
  backends: string[];
  calibration: Record<string, Schema>;
  goal: Record<string, Schema>;
}) {
  const hone = useHone();
  const { id, lineage } = model;
  const removal = useAction(async () => {
    await hone.models.delete(id);
    go(["models"]);
  });
  return (
    <>
      <p class="row">
        <a class="button primary" href={to(["compress", id])}>
          Compress
        </a>
        <a class="button" href={to(["train"], { model: id })}>
          Train
        </a>
        <a class="button" href={to(["models", id, "graph"])}>
          Look at the graph
        </a>
        <DownloadButton model={model} />
        <ConfirmButton
          label="Delete"
          sure="Delete it for good"
          onConfirm={removal.run}
          disabled={removal.busy}
        />
      </p>
      <Refused error={removal.error} />
      {lineage && (
        <p>
          Made by <a href={to(["jobs", lineage.job])}>a job ({lineage.operation})</a> of{" "}
          <a href={to(["models", lineage.parent])}>{lineage.parent}</a>
          {lineage.dataset && (
            <>
              {" "}
              on <a href={to(["datasets", lineage.dataset])}>{lineage.dataset}</a>
            </>
          )}
          , {when(model.created_at)}.
        </p>
      )}
      <ModelSummary model={model} />
      <Optimize model={model} />
      <Search model={model} schemas={goal} />
      <Measure model={model} backends={backends} />
      <Calibrate model={model} schemas={calibration} />
    </>
  );
}
