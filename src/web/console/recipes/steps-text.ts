/** @file A recipe's steps in a line. */

/** `prune → quantize`; one without steps has a goal. */
export const stepsText = (steps: readonly { op: string }[] | null | undefined) =>
  steps?.map(({ op }) => op).join(" → ") ?? "a search";
