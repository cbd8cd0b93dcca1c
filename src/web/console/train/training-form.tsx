/** @file What to train, on what, and how; options and their words come from the API's description. */
import { useState } from "preact/hooks";
import type { Job } from "../../../../sdk/typescript/src/index.ts";
import { bytes, count } from "../format.ts";
import { CardForm } from "../parts/card-form.tsx";
import { Choice } from "../parts/fields.tsx";
import { OptionFields, type Texts } from "../parts/option-fields.tsx";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";
import type { Choices } from "./train-page.tsx";
import { fieldsOf, FIRST, trainingRequest } from "./training-request.ts";

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
  const options = fieldsOf(schemas);
  const [texts, setTexts] = useState<Texts>({
    model: model ?? (resume ? "" : (models[0]?.id ?? "")),
    dataset: dataset ?? (resume ? "" : (datasets[0]?.id ?? "")),
  });
  const set = (name: string) => (value: string) => setTexts({ ...texts, [name]: value });
  const start = useAction(async () => {
    const body = trainingRequest(options, texts, resume);
    const { data } = await hone.api.POST("/v1/training-jobs", { body });
    go(["jobs", (data as Job).id]);
  });
  const same = resume ? ([["", "that job's"]] as const) : [];
  const missing = !resume && (models.length === 0 || datasets.length === 0);
  return (
    <CardForm send="Train" action={start} disabled={missing}>
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
      <OptionFields
        schemas={options}
        names={Object.keys(options)}
        first={FIRST}
        texts={texts}
        onChange={setTexts}
      />
    </CardForm>
  );
}
