/** @file One of the workspace's datasets, the newest first. */
import type { ComponentChildren } from "preact";
import { count } from "../format.ts";
import { Choice } from "../parts/fields.tsx";
import { useHone } from "../session.ts";
import { useLoad } from "../use-load.ts";

const LISTED = 100;

export function DatasetChoice({
  label,
  value,
  onChange,
  hint,
  required = false,
}: {
  label: string;
  value: string;
  onChange: (id: string) => void;
  hint?: ComponentChildren;
  required?: boolean;
}) {
  const hone = useHone();
  const { data } = useLoad(async () => {
    const params = { query: { limit: LISTED } };
    return (await hone.api.GET("/v1/datasets", { params })).data?.data;
  }, []);
  const listed = data ?? [];
  // One that is chosen already may be older than those.
  const older = value === "" || listed.some(({ id }) => id === value) ? [] : [value];
  return (
    <Choice
      label={label}
      value={value}
      onChange={onChange}
      hint={hint}
      required={required}
      options={[
        ["", required ? "choose" : "none"],
        ...older.map((id) => [id, id] as const),
        ...listed.map(
          ({ id, name, rows }) => [id, `${name}, ${count(rows, "row")} (${id})`] as const,
        ),
      ]}
    />
  );
}
