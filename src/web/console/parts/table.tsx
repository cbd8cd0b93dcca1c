/** @file A table with a caption; one that is too wide scrolls by itself, by keyboard too. */
import type { ComponentChildren } from "preact";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ComponentChildren;
  /** Figures stand to the right. */
  number?: boolean;
  /** Names the row. */
  heads?: boolean;
  /** The title is for screen readers only. */
  quiet?: boolean;
}

export function Table<Row>({
  caption,
  hidden = false,
  columns,
  rows,
  rowKey,
  empty,
}: {
  caption: string;
  /** A heading above says it already. */
  hidden?: boolean;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row, index: number) => string | number;
  /** Said where there are no rows. */
  empty?: string;
}) {
  return (
    <div class="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class={hidden ? "unseen" : undefined}>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ title, number, quiet }) => (
              <th key={title} scope="col" class={number ? "number" : undefined}>
                {quiet ? <span class="unseen">{title}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={rowKey(row, index)}>
              {columns.map(({ title, cell, number, heads }) =>
                heads ? (
                  <th key={title} scope="row">
                    {cell(row)}
                  </th>
                ) : (
                  <td key={title} class={number ? "number" : undefined}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
          {rows.length === 0 && empty && (
            <tr>
              <td class="faint" colSpan={columns.length}>
                {empty}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
