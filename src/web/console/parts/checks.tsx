/** @file Several of some: a group of check boxes. */

export function Checks({
  legend,
  options,
  chosen,
  onChange,
}: {
  legend: string;
  options: readonly string[];
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}) {
  return (
    <fieldset class="checks">
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
    </fieldset>
  );
}
