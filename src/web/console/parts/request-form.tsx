/** @file A form of a whole request, made from the API's description of it. */
import { useState } from "preact/hooks";
import { useAction } from "../use-load.ts";
import { CardForm } from "./card-form.tsx";
import { OptionFields, optionValues, type Texts } from "./option-fields.tsx";
import type { Schema } from "./schema.ts";

export function RequestForm({
  schemas,
  first,
  required = [],
  given = {},
  send,
  onSend,
}: {
  /** By option; all of them are in the form. */
  schemas: Readonly<Record<string, Schema>>;
  /** Seen at once, in this order. */
  first: readonly string[];
  required?: readonly string[];
  /** What the fields hold at first. */
  given?: Texts;
  /** What its button says. */
  send: string;
  onSend: (values: Record<string, unknown>) => Promise<void>;
}) {
  const [texts, setTexts] = useState(given);
  const names = [...new Set([...first, ...Object.keys(schemas)])];
  const action = useAction(async () => await onSend(optionValues(schemas, names, texts)));
  return (
    <CardForm send={send} action={action}>
      <OptionFields
        schemas={schemas}
        names={names}
        first={first}
        required={required}
        texts={texts}
        onChange={setTexts}
      />
    </CardForm>
  );
}
