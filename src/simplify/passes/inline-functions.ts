/** @file Calls of the model's own functions give way to the functions' nodes. */
import { inlineFunctions as inlineAll } from "../../graph/inline-functions.ts";
import { makeNamesUnique } from "../unique-names.ts";
import type { Pass } from "../pass.ts";

/** Only where all functions are written for the opsets that the model imports: nodes of another opset may mean something else. */
export const inlineFunctions: Pass = ({ model, notes }) => {
  const count = model.functions.length;
  if (count === 0) return 0;
  const imports = new Map(model.opsetImports.map(({ domain, version }) => [domain, version]));
  const other = model.functions
    .flatMap(({ opsetImports }) => opsetImports)
    .find(({ domain, version }) => (imports.get(domain) ?? version) !== version);
  if (other) {
    notes.add(
      `functions stay: one is written for opset ${other.version} of "${other.domain || "ai.onnx"}", the model imports ${imports.get(other.domain)}`,
    );
    return 0;
  }
  inlineAll(model);
  makeNamesUnique(model);
  return count;
};
