/** @file Which page an address means. */
import { CompressPage, SendModel } from "./compress/compress-page.tsx";
import { DatasetList } from "./datasets/dataset-list.tsx";
import { DatasetPage } from "./datasets/dataset-page.tsx";
import { GraphPage } from "./graph/graph-page.tsx";
import { DeliveryPage } from "./hooks/delivery-page.tsx";
import { HookList } from "./hooks/hook-list.tsx";
import { HookPage } from "./hooks/hook-page.tsx";
import { JobList } from "./jobs/job-list.tsx";
import { JobPage } from "./jobs/job-page.tsx";
import { KeyPage } from "./keys/key-page.tsx";
import { ModelList } from "./models/model-list.tsx";
import { ModelPage } from "./models/model-page.tsx";
import { Page } from "./parts/page.tsx";
import { RecipePage } from "./recipes/recipe-page.tsx";
import { type Route, to } from "./router.ts";
import { RunnerPage } from "./runners/runner-page.tsx";
import { TrainPage } from "./train/train-page.tsx";
import { EndpointList } from "./webhooks/endpoint-list.tsx";
import { EndpointPage } from "./webhooks/endpoint-page.tsx";

/** What the navigation offers, by first segment. */
export const SECTIONS = [
  ["compress", "Compress"],
  ["models", "Models"],
  ["train", "Train"],
  ["datasets", "Datasets"],
  ["recipes", "Recipes"],
  ["jobs", "Jobs"],
  ["runners", "Runners"],
  ["hooks", "Hooks"],
  ["webhooks", "Webhooks"],
  ["keys", "Keys"],
] as const;

export function PageOf({ route: { segments, query } }: { route: Route }) {
  const [section = "compress", id, part] = segments;
  switch (section) {
    case "compress":
      if (id === undefined) return <SendModel />;
      return <CompressPage modelId={id} jobId={part} query={query} />;
    case "models":
      if (id === undefined) return <ModelList />;
      return part === "graph" ? <GraphPage id={id} query={query} /> : <ModelPage id={id} />;
    case "train":
      return <TrainPage query={query} />;
    case "datasets":
      return id === undefined ? <DatasetList /> : <DatasetPage id={id} />;
    case "jobs":
      return id === undefined ? <JobList query={query} /> : <JobPage id={id} />;
    case "runners":
      return <RunnerPage />;
    case "recipes":
      return <RecipePage />;
    case "hooks":
      if (id === undefined) return <HookList />;
      return part === undefined ? <HookPage id={id} /> : <DeliveryPage hook={id} id={part} />;
    case "webhooks":
      return id === undefined ? <EndpointList /> : <EndpointPage id={id} />;
    case "keys":
      return <KeyPage />;
    default:
      return (
        <Page title="There is no such page">
          <p>
            <a href={to(["compress"])}>Compress a model</a>
          </p>
        </Page>
      );
  }
}
