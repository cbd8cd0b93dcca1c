/** @file A job wherever it is looked at: its state, how far it is, and what came out. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { CompressionJob } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { Refused, ProblemNotice } from "../parts/problem.tsx";
import { ConfirmButton } from "../parts/buttons.tsx";
import { Progress } from "../parts/progress.tsx";
import { duration } from "../format.ts";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";
import { CompressionResult } from "./compression-result.tsx";
import { EventLog } from "./event-log.tsx";
import { MeasurementResult } from "./measurement-result.tsx";
import { OptimizeView } from "./optimize-view.tsx";
import { ResultActions } from "./result-actions.tsx";
import { TrainingView } from "../train/training-view.tsx";
import { type AnyJob, isOver, useJob } from "./use-job.ts";

/** @param children come below the result */
export function JobView({ id, children }: { id: string; children?: ComponentChildren }) {
  const { job, events, error } = useJob(id);
  return (
    <section aria-label="Job">
      <Refused error={error} />
      <div class="reserve">
        {job ? <Status job={job} /> : !error && <p class="faint">Loading the job…</p>}
      </div>
      {job && (
        <Outcome job={job}>
          <EventLog events={events} />
          {children}
        </Outcome>
      )}
    </section>
  );
}

export const STATE_WORDS = {
  queued: "Waiting",
  running: "Running",
  succeeded: "Succeeded",
  failed: "Failed",
  canceled: "Canceled",
};

function Status({ job }: { job: AnyJob }) {
  const hone = useHone();
  const cancel = useAction(async () => {
    await hone.jobs.cancel(job.id);
  });
  const over = isOver(job);
  const heading = useRef<HTMLHeadingElement>(null);
  const wasRunning = useRef(!over);
  // What is looked at is the result: who waits for it by keyboard is brought there.
  useEffect(() => {
    if (over && wasRunning.current) heading.current?.focus({ preventScroll: true });
    wasRunning.current = !over;
  }, [over]);
  const { state, progress, started_at, finished_at } = job;
  const seconds = started_at && finished_at ? finished_at - started_at : undefined;
  return (
    <>
      <h2 ref={heading} tabIndex={-1} data-testid="state" class={`state ${state}`}>
        {STATE_WORDS[state]}
        {over && seconds !== undefined && <span class="faint"> after {duration(seconds)}</span>}
      </h2>
      {!over && (
        <>
          <Progress label="The job" fraction={progress.fraction} doing={progress.doing} />
          <ConfirmButton
            label="Cancel"
            sure="Cancel the job"
            onConfirm={cancel.run}
            disabled={cancel.busy}
          />
        </>
      )}
      {over && <ResultActions job={job} />}
      <Refused error={cancel.error} />
      {job.error && <ProblemNotice problem={job.error} />}
    </>
  );
}

function Outcome({ job, children }: { job: AnyJob; children: ComponentChildren }) {
  switch (job.operation) {
    case "quantize":
    case "prune":
    case "simplify":
      return <CompressionResult job={job}>{children}</CompressionResult>;
    default:
      return (
        <>
          <Findings job={job} />
          {children}
        </>
      );
  }
}

function Findings({ job }: { job: Exclude<AnyJob, CompressionJob> }) {
  switch (job.operation) {
    case "train":
      return <TrainingView job={job} />;
    case "benchmark":
    case "verify":
    case "evaluate":
    case "calibrate":
      return <MeasurementResult job={job} />;
    case "optimize":
      return <OptimizeView job={job} />;
    // A kind that this console does not know yet.
    default:
      return <pre tabIndex={0}>{JSON.stringify((job as AnyJob).result, null, 2)}</pre>;
  }
}

export const OPERATION_TITLES = {
  quantize: "Quantize",
  prune: "Prune",
  simplify: "Simplify",
  train: "Train",
  optimize: "Optimize",
  benchmark: "Benchmark",
  verify: "Verify",
  evaluate: "Evaluate",
  calibrate: "Calibrate",
} as const satisfies Record<AnyJob["operation"], string>;

export function jobTitle({ operation }: AnyJob): string {
  return OPERATION_TITLES[operation];
}

export function ModelLink({ id }: { id: string }) {
  return <a href={to(["models", id])}>{id}</a>;
}
