/** @file /runner: lends this tab's GPU to a workspace. The token comes in the address's fragment, which is not sent. */
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "../style.css";
import type { RunnerInfo } from "../../runner/protocol.ts";
import type { RunnerStatus } from "../../runner/runner.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** The build names the worker's file on the script's element. */
const WORKER =
  document.querySelector<HTMLScriptElement>("script[data-worker]")?.dataset["worker"] ?? "";

function Page() {
  const worker = useRef<Worker | undefined>(undefined);
  const [token, setToken] = useState(
    new URLSearchParams(location.hash.slice(1)).get("token") ?? "",
  );
  const [info, setInfo] = useState<RunnerInfo>();
  const [status, setStatus] = useState<RunnerStatus>();
  const [ended, setEnded] = useState<string>();
  const running = worker.current !== undefined && ended === undefined;

  const tell = (message: ToWorker) => worker.current?.postMessage(message);
  const start = () => {
    setEnded(undefined);
    setInfo(undefined);
    worker.current = new Worker(WORKER, { type: "module" });
    worker.current.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === "device") setInfo(data.info);
      else if (data.type === "status") setStatus(data.status);
      else {
        worker.current?.terminate();
        worker.current = undefined;
        setEnded(data.reason);
      }
    });
    tell({ type: "start", url: location.origin, token, name: `tab on ${navigator.platform}` });
    setStatus(undefined);
  };
  // A tab that is closed hands its task back at once instead of after a time of silence.
  useEffect(() => {
    const leave = () => tell({ type: "stop", how: "hand_back" });
    addEventListener("pagehide", leave);
    return () => removeEventListener("pagehide", leave);
  }, []);

  return (
    <main>
      <h1>Hone runner</h1>
      <p>While it is started, this tab computes for the workspace that its token belongs to.</p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <label>
          <span>Runner token</span>
          <input
            type="password"
            autocomplete="off"
            required
            value={token}
            disabled={running}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
        </label>
        <button class="primary" type="submit" disabled={running || token === ""}>
          Start
        </button>
        <button
          type="button"
          disabled={!running}
          onClick={() => tell({ type: "stop", how: "finish" })}
        >
          Finish and stop
        </button>
        <button
          type="button"
          disabled={!running}
          onClick={() => tell({ type: "stop", how: "hand_back" })}
        >
          Hand back and stop
        </button>
      </form>
      <section class="card" aria-live="polite">
        <dl>
          <dt>State</dt>
          <dd data-testid="state">
            {ended !== undefined
              ? "ended"
              : running
                ? (status?.state ?? "starting")
                : "not started"}
          </dd>
          <dt>Doing</dt>
          <dd data-testid="doing">
            {status?.task ? `${status.task.kind}: ${status.task.doing}` : "nothing"}
          </dd>
          <dt>Tasks done</dt>
          <dd data-testid="done">{status?.tasksDone ?? 0}</dd>
          <dt>Failed</dt>
          <dd>{status?.tasksFailed ?? 0}</dd>
          <dt>Device</dt>
          <dd data-testid="device">{info ? deviceText(info) : "not looked for yet"}</dd>
          <dt>Runner</dt>
          <dd>{status?.runner ?? "none"}</dd>
          <dt>Said</dt>
          <dd data-testid="reason">{ended ?? status?.reason ?? "nothing"}</dd>
        </dl>
        <progress max={1} value={status?.task?.fraction ?? 0} aria-label="The task's progress" />
      </section>
    </main>
  );
}

function deviceText({ backends, adapter, runtime }: RunnerInfo): string {
  const { vendor, architecture, description } = adapter ?? {
    vendor: "",
    architecture: "",
    description: "",
  };
  const name = [vendor, architecture, description].filter(Boolean).join(" ");
  return [backends.join(", "), name, runtime].filter(Boolean).join(" · ");
}

const root = document.getElementById("root");
if (root) {
  root.replaceChildren();
  render(<Page />, root);
}
