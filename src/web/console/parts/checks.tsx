/** @file Several of some: a group of check boxes. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Hint } from "./fields.tsx";

export function Checks({
  legend,
  options,
  chosen,
  onChange,
  hint,
}: {
  legend: string;
  options: readonly string[];
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  hint?: ComponentChildren;
}) {
  const id = useId();
  return (
    <fieldset class="checks" aria-describedby={hint ? `${id}-hint` : undefined}>
      <legend>{legend}</legend>
      {options.map((option) => (
        <label key={option}>
          <input
            type="checkbox"
            checked={chosen.includes(option)}
            onChange={({ currentTarget: { checked } }) =>
              onChange(
                options.filter((each) => (each === option ? checked : chosen.includes(each))),
              )
            }
          />{" "}
          {option}
        </label>
      ))}
      <Hint id={id} hint={hint} />
    </fieldset>
  );
}
