/** @file Bars as a table: the chart and its text alternative are the same thing. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

export interface Bar {
  key: string;
  label: ComponentChildren;
  /** Length of the bar; `null` draws none. */
  value: number | null;
  /** What the bar means. */
  text: string;
  note?: string | undefined;
}

const SHOWN = 12;

export function Bars({
  caption,
  label,
  unit,
  bars,
  tone = "accent",
}: {
  caption: string;
  /** Titles of the columns. */
  label: string;
  unit: string;
  bars: readonly Bar[];
  tone?: "accent" | "good";
}) {
  const [all, setAll] = useState(false);
  const longest = Math.max(...bars.map(({ value }) => value ?? 0), Number.MIN_VALUE);
  const shown = all ? bars : bars.slice(0, SHOWN);
  const hasNotes = bars.some(({ note }) => note !== undefined);
  return (
    <>
      <div class="scroll" role="region" aria-label={caption} tabIndex={0}>
        <table class="bars">
          <caption>{caption}</caption>
          <thead>
            <tr>
              <th scope="col">{label}</th>
              <th scope="col" class="bar">
                <span class="unseen">Chart</span>
              </th>
              <th scope="col" class="number">
                {unit}
              </th>
              {hasNotes && (
                <th scope="col" class="note">
                  Kind
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {shown.map(({ key, label: name, value, text, note }) => (
              <tr key={key}>
                <th scope="row">{name}</th>
                <td class="bar" aria-hidden="true">
                  <svg viewBox="0 0 100 10" preserveAspectRatio="none" width="100%" height="10">
                    <rect class="track" width="100" height="10" />
                    <rect
                      class={tone}
                      width={Math.max(0, (100 * (value ?? 0)) / longest)}
                      height="10"
                    />
                  </svg>
                </td>
                <td class="number">{text}</td>
                {hasNotes && <td class="note">{note}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {bars.length > SHOWN && (
        <button type="button" class="link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? `Show the first ${SHOWN}` : `Show all ${bars.length}`}
        </button>
      )}
    </>
  );
}
