/** @file What to do to a model: a form made from the API's description of its options. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Model, PruneOptions, QuantizeOptions } from "../../../../sdk/typescript/src/index.ts";
import { Choice } from "../parts/fields.tsx";
import { available, OptionField, optionValue } from "../parts/option-field.tsx";
import { Refused } from "../parts/problem.tsx";
import { optionsOf, type Schema } from "../parts/schema.ts";
import { go } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction, useLoad } from "../use-load.ts";
import { BOUNDS, FIRST, METHOD_OPTIONS } from "./method-options.ts";

type Operation = "quantize" | "prune";
const SCHEMAS = { quantize: "QuantizeOptions", prune: "PruneOptions" } as const;
const DEFAULT_METHOD = { quantize: "auto", prune: "l1_unstructured" } as const;

export function MethodForm({ model, children }: { model: Model; children: ComponentChildren }) {
  const hone = useHone();
  const [operation, setOperation] = useState<Operation>("quantize");
  const [methods, setMethods] = useState<Record<Operation, string>>(DEFAULT_METHOD);
  const [texts, setTexts] = useState<Record<string, string>>({});
  const schemas = useLoad(async () => await optionsOf(SCHEMAS[operation]), [operation]);
  const method = methods[operation];
  const table: Record<string, readonly string[]> = METHOD_OPTIONS[operation];
  const names = [...(table[method] ?? []), ...BOUNDS];
  const known = names.filter((name) => schemas.data?.[name]);
  const start = useAction(async () => {
    const options: Record<string, unknown> = { method };
    for (const name of known) {
      const value = optionValue(schemas.data?.[name] ?? {}, texts[name] ?? "");
      if (value !== undefined) options[name] = value;
    }
    const job =
      operation === "quantize"
        ? await hone.models.quantize(model.id, options as QuantizeOptions)
        : await hone.models.prune(model.id, options as PruneOptions);
    go(["compress", model.id, job.id]);
  });
  const field = (name: string) => (
    <OptionField
      key={name}
      name={name}
      schema={schemas.data?.[name] as Schema}
      value={texts[name] ?? ""}
      onChange={(value) => setTexts({ ...texts, [name]: value })}
    />
  );
  // With its fields, and what is below it: a form that grows would push that down.
  if (!schemas.data && !schemas.error) return <p class="faint">Loading the options…</p>;
  return (
    <>
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          start.run();
        }}
      >
        <fieldset class="radios">
          <legend>What to do</legend>
          {(["quantize", "prune"] as const).map((each) => (
            <label key={each}>
              <input
                type="radio"
                name="operation"
                checked={operation === each}
                onChange={() => setOperation(each)}
              />{" "}
              {each === "quantize" ? "Quantize: fewer bits a weight" : "Prune: weights become zero"}
            </label>
          ))}
        </fieldset>
        <Refused error={schemas.error} />
        <div class="fields">
          <Choice
            label="method"
            value={method}
            onChange={(value) => setMethods({ ...methods, [operation]: value })}
            hint={operation === "quantize" ? AUTO_HINT : undefined}
            options={(schemas.data
              ? available(schemas.data["method"] ?? {}).filter((each) => table[each])
              : [method]
            ).map((each) => [each, each] as const)}
          />
          {known.filter((name) => FIRST.includes(name)).map(field)}
        </div>
        <details>
          <summary>More options</summary>
          <div class="fields">{known.filter((name) => !FIRST.includes(name)).map(field)}</div>
        </details>
        <p>
          <button class="primary" type="submit" disabled={start.busy || !schemas.data}>
            {operation === "quantize" ? "Quantize" : "Prune"}
          </button>
        </p>
        <Refused error={start.error} />
      </form>
      {children}
    </>
  );
}

const AUTO_HINT = "auto tries the methods that fit and keeps the smallest result that stays close.";
