/** @file A call as one types it. */
import type { Call, Parameter } from "./docs-page.ts";

const JSON_BODIES: Readonly<Record<string, string>> = {
  createKey: '{"name": "ci"}',
  createUpload: '{"name": "large.onnx"}',
  createQuantizeJob: '{"method": "weight_only", "bits": 4}',
  createSimplifyJob: '{"input_shapes": {"x": [1, 3, 224, 224]}}',
  createPruneJob: '{"method": "l1_unstructured", "amount": 0.5}',
  createTrainingJob: '{"model": "model_4k2v9x", "dataset": "dataset_2f9k4w", "world_size": 4}',
};

const FLAGS: Readonly<Record<string, string>> = {
  createModel: "--data-binary @model.onnx",
  createDataset: "--data-binary @digits.npz",
  uploadPart: "--data-binary @part-1",
  quantizeModel: "--data-binary @model.onnx -o model.quantized.onnx",
  pruneModel: "--data-binary @model.onnx -o model.pruned.onnx",
  simplifyModel: "--data-binary @model.onnx -o model.simplified.onnx",
  downloadModel: "-o model.onnx",
  downloadModelFile: "-o weights.bin",
  streamJobEvents: "--no-buffer",
};

const QUERIES: Readonly<Record<string, string>> = {
  quantizeModel: "?method=dynamic",
  pruneModel: "?method=l1_unstructured&amount=0.5",
};

export function curlExample({ method, path, operation }: Call): string {
  const id = operation.operationId ?? "";
  const parameters = operation.parameters ?? [];
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => exampleOf(parameters, name));
  const body = JSON_BODIES[id];
  const open = operation.security?.length === 0;
  return [
    `curl${method === "GET" ? "" : ` -X ${method}`}`,
    open ? "" : '-H "Authorization: Bearer $HONE_API_KEY"',
    body === undefined ? "" : `--json '${body}'`,
    FLAGS[id] ?? "",
    `"$HONE_URL${target}${QUERIES[id] ?? ""}"`,
  ]
    .filter(Boolean)
    .join(" \\\n     ");
}

function exampleOf(parameters: readonly Parameter[], name: string): string {
  const parameter = parameters.find((each) => each.in === "path" && each.name === name);
  const example = parameter?.schema?.example;
  return typeof example === "string" || typeof example === "number" ? String(example) : name;
}
