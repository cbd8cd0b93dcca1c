/** @file What commands on rows have in common: the flags that say which field goes where, and sending model and data. */
import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import type { Hone } from "../../sdk/typescript/src/index.ts";
import { localModel } from "./local-model.ts";
import type { ProgressBar } from "./progress.ts";

/** `x=image` or `x=image*0.0039`. */
export function inputField(text: string): [string, unknown] {
  const match = /^([^=]+)=(.+?)(?:\*([\d.eE+-]+))?$/.exec(text);
  if (!match?.[1] || !match[2])
    throw new Error(`--input ${text} is not input=field or input=field*scale`);
  const [, input, field, scale] = match;
  return [input, scale === undefined ? field : { field, scale: Number(scale) }];
}

/** `clip_norm=1`; a value that is no JSON is text. */
export function namedOption(text: string): [string, unknown] {
  const at = text.indexOf("=");
  if (at < 1) throw new Error(`-O ${text} is not name=value`);
  const value = text.slice(at + 1);
  try {
    return [text.slice(0, at), JSON.parse(value)];
  } catch {
    return [text.slice(0, at), value];
  }
}

/** Without what was not given. */
export function given(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The id of a stored model, or of the one that is sent now. */
export async function modelId(hone: Hone, model: string, bar: ProgressBar): Promise<string> {
  if (/^model_\w+$/.test(model)) return model;
  const { files } = await localModel(model);
  const { id } = await hone.models.upload(files, {
    name: basename(model),
    onProgress: (sent, total) => bar.update(sent / total, "sending the model"),
  });
  return id;
}

/** The id of a stored dataset, or of the one that is sent now. */
export async function datasetId(hone: Hone, data: string, bar: ProgressBar): Promise<string> {
  if (/^dataset_\w+$/.test(data)) return data;
  bar.update(undefined, "sending the data");
  const { id } = await hone.datasets.create(await openAsBlob(data), { name: basename(data) });
  return id;
}
