/** @file What a quantization or pruning gave: the report, and the model to save. */
import type { CompressionJob } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import type { Report } from "../../../../sdk/typescript/src/index.ts";
import { ReportView } from "../compress/report-view.tsx";
import { DownloadButton } from "../parts/buttons.tsx";
import { Refused } from "../parts/problem.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";

export function CompressionResult({ job }: { job: CompressionJob }) {
  const hone = useHone();
  const { result, error: problem } = job;
  const { data, error } = useLoad(
    async () =>
      result && {
        model: await hone.models.get(result.model_id),
        report: await hone.report(result.report_id),
      },
    [result?.model_id],
  );
  // A result that was refused still says how far it got.
  if (problem?.report) return <ReportView report={problem.report as unknown as Report} />;
  if (!result) return null;
  return (
    <>
      <Refused error={error} />
      {data && (
        <>
          <p class="row">
            <DownloadButton model={data.model} primary />
            <a class="button" href={to(["models", data.model.id])}>
              Open the new model
            </a>
          </p>
          <ReportView report={data.report} />
        </>
      )}
    </>
  );
}
