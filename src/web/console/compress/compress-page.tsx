/** @file #/compress: a file comes in; #/compress/{model}: what to do to it; #/compress/{model}/{job}: what became of it. */
import { useState } from "preact/hooks";
import type { Model } from "../../../../sdk/typescript/src/index.ts";
import { JobView } from "../jobs/job-view.tsx";
import { ModelSummary } from "../models/model-summary.tsx";
import { FileDrop } from "../parts/file-drop.tsx";
import type { Texts } from "../parts/option-fields.tsx";
import { Page } from "../parts/page.tsx";
import { Refused } from "../parts/problem.tsx";
import { Progress } from "../parts/progress.tsx";
import { bytes } from "../format.ts";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction, useLoad } from "../use-load.ts";
import { MethodForm } from "./method-form.tsx";
import { modelFiles } from "./model-files.ts";

/** Small enough for a bar that moves. */
const PART_BYTES = 8 << 20;

export function SendModel() {
  const hone = useHone();
  const [sent, setSent] = useState<{ sent: number; total: number }>();
  const { run, busy, error } = useAction(async (files: File[]) => {
    const { name, parts } = modelFiles(files);
    setSent({ sent: 0, total: parts.reduce((sum, { data }) => sum + data.size, 0) });
    const model = await hone.models.upload(parts, {
      name,
      partBytes: PART_BYTES,
      onProgress: (now, total) => setSent({ sent: now, total }),
    });
    go(["compress", model.id]);
  });
  return (
    <Page title="Compress a model">
      <p>
        An ONNX model becomes smaller, is loaded by ONNX Runtime, and is run beside the original.
      </p>
      <FileDrop
        label="Drop an ONNX model here, or choose it"
        hint="A model with external data: choose the .onnx file and its data files together."
        multiple
        disabled={busy}
        onFiles={run}
      />
      <p>
        Or take one that is <a href={to(["models"])}>stored already</a>.
      </p>
      <div class="reserve">
        {busy && sent && (
          <Progress
            label="Upload"
            fraction={sent.total > 0 ? sent.sent / sent.total : 0}
            doing={
              sent.sent < sent.total
                ? `Sending ${bytes(sent.total)}`
                : "The service reads and checks the model"
            }
          />
        )}
        <Refused error={error} />
      </div>
    </Page>
  );
}

/** @param query what the form holds at first, by option */
export function CompressPage({
  modelId,
  jobId,
  query,
}: {
  modelId: string;
  jobId: string | undefined;
  query: URLSearchParams;
}) {
  const hone = useHone();
  const { data: model, error } = useLoad(async () => await hone.models.get(modelId), [modelId]);
  return (
    <Page
      title={model ? `Compress ${model.name}` : "Compress"}
      kicker={<a href={to(["compress"])}>Another model</a>}
    >
      <Refused error={error} />
      {model && jobId === undefined && <Choose model={model} given={Object.fromEntries(query)} />}
      {model && jobId !== undefined && (
        <JobView id={jobId}>
          <h2>Try something else</h2>
          <Choose model={model} />
        </JobView>
      )}
    </Page>
  );
}

function Choose({ model, given = {} }: { model: Model; given?: Texts }) {
  return (
    <MethodForm model={model} given={given}>
      <h2>What is in it</h2>
      <p>
        <a href={to(["models", model.id, "graph"])}>Look at the graph</a>
      </p>
      <ModelSummary model={model} />
    </MethodForm>
  );
}
