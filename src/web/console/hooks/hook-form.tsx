/** @file A new hook: what each source and each target asks for. */
import { useState } from "preact/hooks";
import type { NewHook, NewHookRequest } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { Choice, NumberField, TextField } from "../parts/fields.tsx";
import { RowForm } from "../parts/row-form.tsx";
import { RecipeChoice } from "../recipes/recipe-choice.tsx";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

type Source = NewHookRequest["source"];
type Target = NonNullable<NewHookRequest["deliver"]>;
type Field = readonly [name: string, label: string, example: string];

const SOURCES = [
  ["github", "GitHub: a release, or a push"],
  ["huggingface", "Hugging Face: a model's new revision"],
  ["standard", "your own, by Standard Webhooks"],
  ["r2", "an object in the exchange bucket"],
] as const;
/** Where the model is, and which deliveries count. */
const MODEL: Record<Source, readonly Field[]> = {
  github: [["asset", "Files of the release", "*.onnx"]],
  huggingface: [["path", "File of the repository", "onnx/model.onnx"]],
  standard: [["url", "The model's address", "{data.url}"]],
  r2: [],
};
const FILTER: Record<Source, readonly Field[]> = {
  github: [
    ["repository", "Only repositories", "acme/*"],
    ["tag", "Only tags", "v*"],
    ["path", "Only files", "models/**/*.onnx"],
  ],
  huggingface: [
    ["repository", "Only repositories", "acme/*"],
    ["tag", "Only tags", "v*"],
  ],
  standard: [
    ["repository", "Only repositories", "acme/*"],
    ["tag", "Only tags", "v*"],
    ["path", "Only paths", "models/**"],
  ],
  r2: [["path", "Only keys", "in/**/*.onnx"]],
};
const TARGETS = [
  ["catalogue", "the catalogue only"],
  ["signed_url", "an address that needs no key"],
  ["r2", "the exchange bucket"],
  ["http_put", "an HTTP PUT"],
] as const;

export function HookForm({ onMade }: { onMade: (hook: NewHook) => void }) {
  const hone = useHone();
  const [name, setName] = useState("");
  const [source, setSource] = useState<Source>("github");
  const [recipe, setRecipe] = useState("");
  const [target, setTarget] = useState<Target["to"]>("catalogue");
  const [place, setPlace] = useState("");
  const [texts, setTexts] = useState<Record<string, string>>({});
  const fields = (all: readonly Field[], of: string) =>
    all.map(([field, label, example]) => (
      <TextField
        key={`${of} ${field}`}
        label={label}
        placeholder={example}
        value={texts[`${of} ${field}`] ?? ""}
        onChange={(text) => setTexts({ ...texts, [`${of} ${field}`]: text })}
      />
    ));
  const given = (all: readonly Field[], of: string) =>
    Object.fromEntries(
      all.map(([field]) => [field, texts[`${of} ${field}`]] as const).filter(([, text]) => text),
    );
  const creation = useAction(async () => {
    const body: NewHookRequest = {
      name,
      source,
      recipe,
      filter: given(FILTER[source], "filter"),
      model: given(MODEL[source], "model"),
      deliver: targetOf(target, place),
    };
    const { data } = await hone.api.POST("/v1/hooks", { body });
    if (data) onMade(data as NewHook);
  });
  return (
    <section>
      <h2>A new hook</h2>
      <RowForm send="Make the hook" action={creation} wide>
        <TextField label="Name" value={name} onChange={setName} maxLength={200} />
        <Choice
          label="Source"
          value={source}
          onChange={(value) => setSource(value as Source)}
          options={SOURCES}
        />
        {fields(MODEL[source], "model")}
        {fields(FILTER[source], "filter")}
        <RecipeChoice value={recipe} onChange={setRecipe} />
        <Choice
          label="The result goes to"
          value={target}
          onChange={(value) => {
            setTarget(value as Target["to"]);
            setPlace("");
          }}
          options={TARGETS}
        />
        {target === "signed_url" && (
          <NumberField
            label="Seconds that it works"
            value={place}
            onChange={setPlace}
            min={60}
            max={604_800}
            whole
            placeholder="3600"
          />
        )}
        {target === "r2" && (
          <TextField
            label="Prefix of the keys"
            value={place}
            onChange={setPlace}
            placeholder="optimized/{job}/"
          />
        )}
        {target === "http_put" && (
          <TextField
            label="Address"
            value={place}
            onChange={setPlace}
            placeholder="https://models.example.com/in/{file}"
            required
          />
        )}
      </RowForm>
    </section>
  );
}

function targetOf(to: Target["to"], place: string): Target {
  switch (to) {
    case "signed_url":
      return { to, expires_in_s: place === "" ? 3600 : Number(place) };
    case "r2":
      return { to, prefix: place };
    case "http_put":
      return { to, url: place };
    default:
      return { to };
  }
}
