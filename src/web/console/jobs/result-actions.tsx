/** @file What can be done with what a job made: a model, or ranges to quantize one by. */
import { DownloadButton } from "../parts/buttons.tsx";
import { QuantizeByIt } from "../models/calibrate.tsx";
import { Refused } from "../parts/problem.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";
import type { AnyJob } from "./use-job.ts";

export function ResultActions({ job }: { job: AnyJob }) {
  const { operation, result } = job;
  if (!result) return null;
  if (operation === "calibrate") return <QuantizeByIt job={job} />;
  if (!("model_id" in result)) return null;
  return <Actions id={result.model_id} trained={operation === "train"} />;
}

function Actions({ id, trained }: { id: string; trained: boolean }) {
  const hone = useHone();
  const { data: model, error } = useLoad(async () => await hone.models.get(id), [id]);
  return (
    <>
      <Refused error={error} />
      {model && (
        <p class="row">
          <DownloadButton model={model} primary />
          <a class="button" href={to(["models", id])}>
            Open the new model
          </a>
          {trained && (
            <a class="button" href={to(["compress", id])}>
              Compress it
            </a>
          )}
        </p>
      )}
    </>
  );
}
