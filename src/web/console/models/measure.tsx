/** @file Timing a model, and comparing it with its original, on whatever is connected. */
import { useState } from "preact/hooks";
import type { Job, Model } from "../../../../sdk/typescript/src/index.ts";
import { Refused } from "../parts/problem.tsx";
import { Choice } from "../parts/fields.tsx";
import { go } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

const BACKENDS = ["cuda", "webgpu", "cpu", "wasm"] as const;

export function Measure({ model }: { model: Model }) {
  const hone = useHone();
  const [backend, setBackend] = useState("");
  const params = { path: { id: model.id } };
  const place = backend === "" ? {} : { backend: backend as (typeof BACKENDS)[number] };
  const parent = model.lineage?.parent;
  const { run, busy, error } = useAction(async (kind: "benchmark" | "verify") => {
    const original = parent === undefined ? {} : { original: parent };
    const { data } =
      kind === "benchmark"
        ? await hone.api.POST("/v1/models/{id}/benchmark", {
            params,
            body: { ...place, ...original },
          })
        : await hone.api.POST("/v1/models/{id}/verify", {
            params,
            body: { ...place, original: parent ?? "" },
          });
    go(["jobs", (data as Job).id]);
  });
  return (
    <section>
      <h2>Measure</h2>
      <p>
        {parent === undefined
          ? "How fast it is, on a connected runner or in the service."
          : "How fast it is beside its original, and how close, on a connected runner or in the service."}
      </p>
      <div class="row">
        <Choice
          label="Backend"
          value={backend}
          onChange={setBackend}
          options={[["", "any"], ...BACKENDS.map((name) => [name, name] as const)]}
        />
        <button type="button" disabled={busy} onClick={() => run("benchmark")}>
          Benchmark
        </button>
        {parent !== undefined && (
          <button type="button" disabled={busy} onClick={() => run("verify")}>
            Compare with the original
          </button>
        )}
      </div>
      <Refused error={error} />
    </section>
  );
}
