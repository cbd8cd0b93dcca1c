/** @file Form fields with a label, and a hint that belongs to them. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: ComponentChildren;
}

export type ChoiceOption = readonly [value: string, text: string];

export function Choice({
  label,
  value,
  onChange,
  hint,
  options,
  required = false,
}: FieldProps & { options: readonly ChoiceOption[]; required?: boolean }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        required={required}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      >
        {options.map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
      <Hint id={id} hint={hint} />
    </div>
  );
}

export function NumberField({
  label,
  value,
  onChange,
  hint,
  min,
  max,
  whole = false,
  required = false,
  placeholder,
}: FieldProps & {
  min?: number | undefined;
  max?: number | undefined;
  whole?: boolean;
  required?: boolean;
  placeholder?: string | undefined;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        value={value}
        min={min}
        max={max}
        step={whole ? 1 : "any"}
        required={required}
        placeholder={placeholder}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      <Hint id={id} hint={hint} />
    </div>
  );
}

export function TextField({
  label,
  value,
  onChange,
  hint,
  required = false,
  secret = false,
  placeholder,
  maxLength,
}: FieldProps & {
  required?: boolean;
  secret?: boolean;
  placeholder?: string | undefined;
  maxLength?: number;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        {...(secret ? ({ type: "password" } as const) : ({ type: "text" } as const))}
        autocomplete="off"
        spellcheck={false}
        value={value}
        required={required}
        placeholder={placeholder}
        maxLength={maxLength}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      <Hint id={id} hint={hint} />
    </div>
  );
}

export function TextArea({
  label,
  value,
  onChange,
  hint,
  placeholder,
  required = false,
  rows = 2,
}: FieldProps & { placeholder?: string | undefined; required?: boolean; rows?: number }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        rows={rows}
        spellcheck={false}
        value={value}
        required={required}
        placeholder={placeholder}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      <Hint id={id} hint={hint} />
    </div>
  );
}

/** Belongs to what is described by `{id}-hint`. */
export function Hint({ id, hint }: { id: string; hint: ComponentChildren }) {
  return hint ? (
    <small id={`${id}-hint`} class="faint">
      {hint}
    </small>
  ) : null;
}
