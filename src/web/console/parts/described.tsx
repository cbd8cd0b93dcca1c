/** @file The service's words, as they are shown. */

/** Text in backticks is code. */
export function described(text = "") {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}
