/** @file A goal instead of steps: the smallest or fastest model that loses no more than so much. */
import type { OptimizeRequest } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import type { Model } from "../../../../sdk/typescript/src/index.ts";
import { RequestForm } from "../parts/request-form.tsx";
import type { Schema } from "../parts/schema.ts";
import { go } from "../router.ts";
import { useHone } from "../session.ts";

const REQUIRED = ["dataset", "metric", "max_drop"];

export function Search({
  model,
  schemas,
}: {
  model: Model;
  schemas: Readonly<Record<string, Schema>>;
}) {
  const hone = useHone();
  return (
    <section>
      <h2>Search</h2>
      <p>
        For the smallest or fastest model that is still good on a dataset: the methods that fit are
        tried, and the nodes that cost most are left as they are.
      </p>
      <RequestForm
        schemas={schemas}
        first={[...REQUIRED, "minimize"]}
        required={REQUIRED}
        given={{ metric: "accuracy", max_drop: "0.01" }}
        send="Search"
        onSend={async (goal) => {
          const request = { goal } as OptimizeRequest;
          const { id } = await hone.models.optimize(model.id, request);
          go(["jobs", id]);
        }}
      />
    </section>
  );
}
