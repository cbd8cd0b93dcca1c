/** @file A training as it runs: figures, curves, what each rank does, checkpoints. */
import type { Checkpoint, TrainingJob } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import type { Hone } from "../../../../sdk/typescript/src/index.ts";
import { Lanes } from "../charts/lanes.tsx";
import { Lines } from "../charts/lines.tsx";
import { isOver } from "../jobs/use-job.ts";
import { bytes, compact, real, when, whole } from "../format.ts";
import { Figures } from "../parts/facts.tsx";
import { Refused } from "../parts/problem.tsx";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";

/** A curve is asked for anew this often while the job runs. */
const CURVE_EVERY_MS = 1500;
const POINTS = 400;

export function TrainingView({ job }: { job: TrainingJob }) {
  const hone = useHone();
  const over = isOver(job);
  const { data: curve, error } = useLoad(
    async () => {
      const params = { path: { id: job.id }, query: { points: POINTS } };
      return (await hone.api.GET("/v1/jobs/{id}/curve", { params })).data;
    },
    [job.id, over],
    over ? undefined : CURVE_EVERY_MS,
  );
  const { progress } = job;
  const { loss, samples_per_second: speed } = progress;
  const points = curve?.data ?? [];
  return (
    <>
      <Figures
        facts={[
          ["Step", `${whole(progress.step)} of ${whole(progress.steps)}`],
          ["Epoch", progress.epoch],
          ["Loss", real(loss)],
          ["Rows a second", speed === null ? "–" : compact(speed)],
          ["Bytes reduced", bytes(progress.bytes_reduced)],
          ["Attempts", job.attempts],
        ]}
      />
      <Refused error={error} />
      <div class="halves">
        <Lines
          title="Loss"
          xLabel="step"
          xMax={progress.steps}
          fromZero
          series={[{ name: "loss", points: points.map(({ step, loss: y }) => [step, y] as const) }]}
        />
        <Epochs
          metrics={job.metrics}
          epochs={epochsOf(job)}
          classifies={points.some(({ accuracy }) => accuracy !== null)}
        />
      </div>
      <h2>Ranks</h2>
      <Lanes ranks={progress.ranks} />
      <Checkpoints hone={hone} job={job} />
    </>
  );
}

/** How many were asked for; a training by steps does not say. */
function epochsOf({ options: { epochs, steps } }: TrainingJob): number | undefined {
  if (typeof epochs === "number") return epochs;
  return steps === undefined ? 1 : undefined;
}

/** A classification shows accuracies, anything else its losses. */
function Epochs({
  metrics,
  epochs,
  classifies,
}: {
  metrics: TrainingJob["metrics"];
  epochs: number | undefined;
  classifies: boolean;
}) {
  const [ofTraining, ofValidation] = classifies
    ? (["accuracy", "validation_accuracy"] as const)
    : (["loss", "validation_loss"] as const);
  const validates = metrics.some((each) => each[ofValidation] !== null);
  return (
    <Lines
      title={classifies ? "Accuracy" : "Loss of each epoch"}
      xLabel="epoch"
      xMax={epochs}
      series={[
        {
          name: "training",
          points: metrics.map((each) => [each.epoch, each[ofTraining]] as const),
        },
        ...(validates
          ? [
              {
                name: "validation",
                points: metrics.map((each) => [each.epoch, each[ofValidation]] as const),
              },
            ]
          : []),
      ]}
    />
  );
}

function Checkpoints({ hone, job }: { hone: Hone; job: TrainingJob }) {
  const { id, checkpoint_step } = job;
  const { data, error } = useLoad(async () => {
    const { data: list } = await hone.api.GET("/v1/jobs/{id}/checkpoints", {
      params: { path: { id } },
    });
    return list?.data;
  }, [id, checkpoint_step, isOver(job)]);
  return (
    <>
      <Refused error={error} />
      <Table<Checkpoint>
        caption="Checkpoints"
        rows={data ?? []}
        rowKey={({ step }) => step}
        empty="None is kept."
        columns={[
          { title: "Step", heads: true, cell: ({ step }) => whole(step) },
          { title: "Size", number: true, cell: (each) => bytes(each.bytes) },
          { title: "Ranks", number: true, cell: ({ world_size }) => world_size },
          { title: "Since", cell: ({ created_at }) => when(created_at) },
          {
            title: "Go on",
            quiet: true,
            cell: ({ step }) => (
              <a href={to(["train"], { job: id, step: String(step) })}>Go on from step {step}</a>
            ),
          },
        ]}
      />
    </>
  );
}
