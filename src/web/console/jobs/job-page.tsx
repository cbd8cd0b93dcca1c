/** @file #/jobs/{id} */
import type { AnyJob } from "./use-job.ts";
import { when } from "../format.ts";
import { Facts } from "../parts/facts.tsx";
import { Page } from "../parts/page.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";
import { jobTitle, JobView, ModelLink } from "./job-view.tsx";

export function JobPage({ id }: { id: string }) {
  const hone = useHone();
  // The view below says what is wrong, if it is.
  const { data: job } = useLoad(async () => (await hone.jobs.get(id)) as AnyJob, [id]);
  return (
    <Page title={job ? jobTitle(job) : "Job"} kicker={<a href={to(["jobs"])}>Jobs</a>}>
      <JobView id={id}>{job && <About job={job} />}</JobView>
    </Page>
  );
}

function About({ job }: { job: AnyJob }) {
  return (
    <section>
      <h2>What was asked</h2>
      <Facts
        facts={[
          ["Id", <code key="id">{job.id}</code>],
          ["Model", <ModelLink key="model" id={job.model_id} />],
          ...(job.operation === "train"
            ? ([
                [
                  "Dataset",
                  <a key="data" href={to(["datasets", job.dataset_id])}>
                    {job.dataset_id}
                  </a>,
                ],
              ] as const)
            : []),
          ["Asked for", when(job.created_at)],
        ]}
      />
      <pre tabIndex={0} aria-label="Options">
        {JSON.stringify(job.options, null, 2)}
      </pre>
    </section>
  );
}
