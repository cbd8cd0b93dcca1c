/** @file Timing a model, and comparing it with its original, on whatever is connected. */
import { useState } from "preact/hooks";
import type { BenchmarkRequest } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import type { Model } from "../../../../sdk/typescript/src/index.ts";
import { Refused } from "../parts/problem.tsx";
import { Choice } from "../parts/fields.tsx";
import { go } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

type Request = Pick<BenchmarkRequest, "backend">;

/** @param backends as the service names them */
export function Measure({ model, backends }: { model: Model; backends: readonly string[] }) {
  const hone = useHone();
  const [backend, setBackend] = useState("");
  const place = backend === "" ? {} : ({ backend } as Request);
  const parent = model.lineage?.parent;
  const { run, busy, error } = useAction(async (kind: "benchmark" | "verify") => {
    const original = parent === undefined ? {} : { original: parent };
    const { id } =
      kind === "benchmark"
        ? await hone.models.benchmark(model.id, { ...place, ...original })
        : await hone.models.verify(model.id, { ...place, original: parent ?? "" });
    go(["jobs", id]);
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
          options={[["", "any"], ...backends.map((name) => [name, name] as const)]}
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
