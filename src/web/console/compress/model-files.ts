/** @file Which of the chosen files is the model; the others are its external data. */
import type { ModelFile } from "../../../../sdk/typescript/src/index.ts";

/** @throws RangeError where it cannot be told */
export function modelFiles(files: readonly File[]): { name: string; parts: ModelFile[] } {
  const models = files.length === 1 ? files : files.filter(({ name }) => /\.onnx$/i.test(name));
  const [model] = models;
  if (!model || models.length > 1) {
    throw new RangeError(
      model
        ? `These are ${models.length} models: choose one, with its external data files.`
        : "None of these files ends in .onnx: which one is the model?",
    );
  }
  const others = files.filter((file) => file !== model);
  return {
    name: model.name,
    parts: [{ data: model }, ...others.map((data) => ({ location: data.name, data }))],
  };
}
