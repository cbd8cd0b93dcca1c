/** @file What a quantization or pruning did: its report. */
import type { ComponentChildren } from "preact";
import type { CompressionJob } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import type { Report } from "../../../../sdk/typescript/src/index.ts";
import { ReportView } from "../compress/report-view.tsx";
import { Refused } from "../parts/problem.tsx";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";

/** @param children come once the report is there, which would push them down */
export function CompressionResult({
  job,
  children,
}: {
  job: CompressionJob;
  children: ComponentChildren;
}) {
  const hone = useHone();
  const { result, error: problem } = job;
  const { data, error } = useLoad(
    async () => result && (await hone.report(result.report_id)),
    [result?.report_id],
  );
  // A result that was refused still says how far it got.
  const report = data ?? (problem?.report as unknown as Report | undefined);
  return (
    <>
      <Refused error={error} />
      {report && <ReportView report={report} />}
      {(report ?? error ?? !result) && children}
    </>
  );
}
