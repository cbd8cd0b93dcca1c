/** @file A curve as text: eighths of a character high, so that a falling loss is seen in few lines. */

const BLOCKS = " ▁▂▃▄▅▆▇█";

/**
 * The values from left to right over `width` columns, each the mean of those that fall into it.
 * @param values at least one
 */
export function chart(values: readonly number[], width = 64, height = 6): string {
  const columns = Array.from({ length: Math.min(width, values.length) }, (_, column) => {
    const count = Math.min(width, values.length);
    const start = Math.floor((column * values.length) / count);
    const part = values.slice(start, Math.floor(((column + 1) * values.length) / count));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const top = Math.max(...columns);
  const lines = Array.from({ length: height }, (_, line) => {
    const floor = height - 1 - line;
    return columns
      .map((value) => {
        const eighths = Math.round((top > 0 ? value / top : 0) * height * 8) - floor * 8;
        return BLOCKS[Math.min(8, Math.max(0, eighths))] ?? " ";
      })
      .join("");
  });
  const label = (value: number) => value.toFixed(3).padStart(8);
  return lines
    .map((line, index) => {
      const left = index === 0 ? label(top) : index === height - 1 ? label(0) : " ".repeat(8);
      return `${left} │${line.trimEnd()}`;
    })
    .join("\n");
}
