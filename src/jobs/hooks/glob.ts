/** @file Globs over repositories, tags and paths: `*` within a segment, `**` across them, `?` one character. */

/** In time proportional to pattern times text, whatever the pattern. */
export function matchesGlob(pattern: string, text: string): boolean {
  const tokens = pattern.match(/\*\*\/?|[^]/gu) ?? [];
  const characters = Array.from(text);
  // reached[i]: the tokens so far match the first i characters.
  let reached = characters.map(() => false);
  reached = [true, ...reached];
  for (const token of tokens) {
    const next = reached.map(() => false);
    for (let at = 0; at <= characters.length; at++) {
      const before = characters[at - 1];
      switch (token) {
        case "**":
          next[at] = reached[at] === true || next[at - 1] === true;
          break;
        case "**/":
          // No folder at all, or whatever ends with a slash.
          next[at] =
            reached[at] === true || (before === "/" && reached.slice(0, at).includes(true));
          break;
        case "*":
          next[at] = reached[at] === true || (before !== "/" && next[at - 1] === true);
          break;
        case "?":
          next[at] = before !== undefined && before !== "/" && reached[at - 1] === true;
          break;
        default:
          next[at] = before === token && reached[at - 1] === true;
      }
    }
    reached = next;
  }
  return reached.at(-1) === true;
}
