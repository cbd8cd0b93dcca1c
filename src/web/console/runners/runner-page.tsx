/** @file #/runners: who computes for this workspace, how to join, and what happened. */
import { Page } from "../parts/page.tsx";
import { RunnerLogView } from "./runner-log.tsx";
import { RunnerTable } from "./runner-table.tsx";
import { RunnerTokens } from "./runner-tokens.tsx";

export function RunnerPage() {
  return (
    <Page title="Runners">
      <p>
        A runner lends a GPU or CPU: a browser tab, or <code>hone runner</code> on any machine. It
        connects out with a token, takes tasks, and may leave at any time.
      </p>
      <RunnerTable />
      <RunnerTokens />
      <RunnerLogView />
    </Page>
  );
}
