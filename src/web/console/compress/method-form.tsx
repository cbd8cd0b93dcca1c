/** @file What to do to a model: a form made from the API's description of its options. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Model } from "../../../../sdk/typescript/src/index.ts";
import { CardForm } from "../parts/card-form.tsx";
import { Choice } from "../parts/fields.tsx";
import { available } from "../parts/option-field.tsx";
import { OptionFields, optionValues, type Texts } from "../parts/option-fields.tsx";
import { Refused } from "../parts/problem.tsx";
import { optionsOf } from "../parts/schema.ts";
import { go } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction, useLoad } from "../use-load.ts";
import { BOUNDS, FIRST, METHOD_OPTIONS } from "./method-options.ts";

const OPERATIONS = {
  quantize: { title: "Quantize", does: "fewer bits a weight", schema: "QuantizeOptions" },
  prune: { title: "Prune", does: "weights become zero", schema: "PruneOptions" },
  simplify: { title: "Simplify", does: "fewer nodes, the same answers", schema: "SimplifyOptions" },
} as const;
type Operation = keyof typeof OPERATIONS;
const DEFAULT_METHODS = { quantize: "auto", prune: "l1_unstructured", simplify: "" } as const;

/** @param given what the fields hold at first: a quantization's method, and options by name */
export function MethodForm({
  model,
  given,
  children,
}: {
  model: Model;
  given: Texts;
  children: ComponentChildren;
}) {
  const hone = useHone();
  const [operation, setOperation] = useState<Operation>("quantize");
  const [methods, setMethods] = useState<Record<Operation, string>>({
    ...DEFAULT_METHODS,
    quantize: given["method"] ?? DEFAULT_METHODS.quantize,
  });
  const [texts, setTexts] = useState(given);
  const { title, schema } = OPERATIONS[operation];
  const schemas = useLoad(async () => await optionsOf(schema), [schema]);
  const method = methods[operation];
  const table: Record<string, readonly string[]> = METHOD_OPTIONS[operation];
  const names = [...(table[method] ?? []), ...BOUNDS];
  const start = useAction(async () => {
    const options: object = {
      ...(method === "" ? {} : { method }),
      ...optionValues(schemas.data ?? {}, names, texts),
    };
    const { id } = await hone.models[operation](model.id, options);
    go(["compress", model.id, id]);
  });
  // With its fields, and what is below it: a form that grows would push that down.
  if (!schemas.data && !schemas.error) return <p class="faint">Loading the options…</p>;
  return (
    <>
      <CardForm send={title} action={start} disabled={!schemas.data}>
        <fieldset class="radios">
          <legend>What to do</legend>
          {(Object.keys(OPERATIONS) as Operation[]).map((each) => (
            <label key={each}>
              <input
                type="radio"
                name="operation"
                checked={operation === each}
                onChange={() => setOperation(each)}
              />{" "}
              {OPERATIONS[each].title}: {OPERATIONS[each].does}
            </label>
          ))}
        </fieldset>
        <Refused error={schemas.error} />
        <OptionFields
          schemas={schemas.data ?? {}}
          names={names}
          first={FIRST}
          texts={texts}
          onChange={setTexts}
        >
          {method !== "" && (
            <Choice
              label="method"
              value={method}
              onChange={(value) => setMethods({ ...methods, [operation]: value })}
              hint={HINTS[method]}
              options={(schemas.data?.["method"]
                ? available(schemas.data["method"]).filter((each) => table[each])
                : [method]
              ).map((each) => [each, each] as const)}
            />
          )}
        </OptionFields>
      </CardForm>
      {children}
    </>
  );
}

const HINTS: Record<string, string> = {
  auto: "auto tries the methods that fit and keeps the smallest result that stays close.",
  static: "static runs the model on rows of a dataset first, for the ranges of its activations.",
};
