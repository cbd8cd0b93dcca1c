/** @file What to train, on what, and how; options and their words come from the API's description. */
import { useState } from "preact/hooks";
import type { Job } from "../../../../sdk/typescript/src/index.ts";
import { bytes, count } from "../format.ts";
import { Choice } from "../parts/fields.tsx";
import { OptionField } from "../parts/option-field.tsx";
import { Refused } from "../parts/problem.tsx";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";
import type { Choices } from "./train-page.tsx";
import { FIELDS, trainingRequest } from "./training-request.ts";

export function TrainingForm({
  choices: { models, datasets, schemas },
  model,
  dataset,
  resume,
}: {
  choices: Choices;
  model?: string | undefined;
  dataset?: string | undefined;
  resume?: { job: string; step: number } | undefined;
}) {
  const hone = useHone();
  const [texts, setTexts] = useState<Record<string, string>>({
    model: model ?? (resume ? "" : (models[0]?.id ?? "")),
    dataset: dataset ?? (resume ? "" : (datasets[0]?.id ?? "")),
  });
  const set = (name: string) => (value: string) => setTexts({ ...texts, [name]: value });
  const start = useAction(async () => {
    const body = trainingRequest(schemas, texts, resume);
    const { data } = await hone.api.POST("/v1/training-jobs", { body });
    go(["jobs", (data as Job).id]);
  });
  const same = resume ? ([["", "that job's"]] as const) : [];
  const group = (unfolded: boolean) =>
    FIELDS.filter(({ first = false }) => first === unfolded).flatMap((field) => {
      const schema = field.schema(schemas);
      return schema
        ? [
            <OptionField
              key={field.label}
              name={field.label}
              schema={schema}
              value={texts[field.label] ?? ""}
              onChange={set(field.label)}
            />,
          ]
        : [];
    });
  const missing = !resume && (models.length === 0 || datasets.length === 0);
  return (
    <form
      class="card"
      onSubmit={(event) => {
        event.preventDefault();
        start.run();
      }}
    >
      {resume && (
        <p>
          It goes on from step {resume.step} of <a href={to(["jobs", resume.job])}>{resume.job}</a>;
          what is left empty is as it was there.
        </p>
      )}
      {missing && (
        <p>
          {models.length === 0 && (
            <>
              There is no model yet: <a href={to(["compress"])}>send one in</a>.{" "}
            </>
          )}
          {datasets.length === 0 && (
            <>
              There is no dataset yet: <a href={to(["datasets"])}>send one in</a>.
            </>
          )}
        </p>
      )}
      <div class="fields wide">
        <Choice
          label="model"
          required={!resume}
          value={texts["model"] ?? ""}
          onChange={set("model")}
          options={[
            ...same,
            ...models.map(
              (each) => [each.id, `${each.name}, ${bytes(each.bytes)} (${each.id})`] as const,
            ),
          ]}
        />
        <Choice
          label="dataset"
          required={!resume}
          value={texts["dataset"] ?? ""}
          onChange={set("dataset")}
          options={[
            ...same,
            ...datasets.map(
              ({ id, name, rows }) => [id, `${name}, ${count(rows, "row")} (${id})`] as const,
            ),
          ]}
        />
      </div>
      <div class="fields">{group(true)}</div>
      <details>
        <summary>More options</summary>
        <div class="fields">{group(false)}</div>
      </details>
      <p>
        <button class="primary" type="submit" disabled={start.busy || missing}>
          Train
        </button>
      </p>
      <Refused error={start.error} />
    </form>
  );
}
