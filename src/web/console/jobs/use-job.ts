/** @file A job as it goes on: its events from the first one, until it is over. */
import { useEffect, useState } from "preact/hooks";
import type {
  CompressionJob,
  EpochMetrics,
  MeasurementJob,
  OptimizeJob,
  TrainingJob,
} from "../../../../sdk/typescript/src/generated/schema.d.ts";
import type { JobEvent } from "../../../../sdk/typescript/src/index.ts";
import { useHone } from "../session.ts";
import { asError } from "../use-load.ts";

export type AnyJob = CompressionJob | TrainingJob | MeasurementJob | OptimizeJob;

export interface FollowedJob {
  job: AnyJob | undefined;
  /** The latest of them. */
  events: JobEvent[];
  error: Error | undefined;
}

const MAX_EVENTS = 500;

export function useJob(id: string): FollowedJob {
  const hone = useHone();
  const [followed, setFollowed] = useState<FollowedJob>(NOTHING);
  useEffect(() => {
    const abort = new AbortController();
    const follow = async () => {
      try {
        for await (const event of hone.jobs.events(id, abort.signal)) {
          setFollowed(({ job, events }) => ({
            job: after(job, event),
            events: [...events.slice(1 - MAX_EVENTS), event],
            error: undefined,
          }));
        }
        const job = (await hone.jobs.get(id)) as AnyJob;
        if (!abort.signal.aborted) setFollowed((before) => ({ ...before, job }));
      } catch (reason) {
        if (abort.signal.aborted) return;
        setFollowed((before) => ({ ...before, error: asError(reason) }));
      }
    };
    setFollowed(NOTHING);
    void follow();
    return () => abort.abort();
  }, [hone, id]);
  return followed;
}

const NOTHING: FollowedJob = { job: undefined, events: [], error: undefined };

function after(job: AnyJob | undefined, { type, data }: JobEvent): AnyJob | undefined {
  if (type === "state") return data as AnyJob;
  if (!job) return job;
  if (type === "progress") return { ...job, progress: data } as AnyJob;
  if (type !== "metrics" || job.operation !== "train") return job;
  const metrics = data as EpochMetrics;
  const others = job.metrics.filter(({ epoch }) => epoch !== metrics.epoch);
  return { ...job, metrics: [...others, metrics] };
}

export function isOver({ state }: AnyJob): boolean {
  return state === "succeeded" || state === "failed" || state === "canceled";
}
