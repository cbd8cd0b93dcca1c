/** @file The column of a table whose rows can be deleted. */
import { ConfirmButton } from "./buttons.tsx";
import type { Column } from "./table.tsx";

/** @param sure what the button says before it does it */
export function deleteColumn(
  sure: string,
  { run, busy }: { run: (id: string) => void; busy: boolean },
): Column<{ id: string }> {
  return {
    title: "Delete",
    quiet: true,
    cell: ({ id }) => (
      <ConfirmButton label="Delete" sure={sure} onConfirm={() => run(id)} disabled={busy} />
    ),
  };
}
