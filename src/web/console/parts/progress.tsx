/** @file How far something is: a bar, and words that a screen reader hears in tenths. */

export function Progress({
  label,
  fraction,
  doing,
}: {
  label: string;
  fraction: number;
  doing: string;
}) {
  const percent = Math.floor(fraction * 100);
  return (
    <div class="progress">
      <p class="between">
        <span>{doing}</span>
        <span class="faint">{percent} %</span>
      </p>
      <progress max={1} value={fraction} aria-label={label} />
      <p class="unseen" aria-live="polite">
        {doing}, {Math.floor(percent / 10) * 10} %
      </p>
    </div>
  );
}
