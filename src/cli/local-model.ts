/** @file A model on disk: its file, and the external data files that it names. */
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelFile } from "../../sdk/typescript/src/index.ts";
import { externalBeside, FileSource } from "../node/file-source.ts";
import { readModel } from "../onnx/read-model.ts";

export interface LocalModel {
  files: ModelFile[];
  bytes: number;
}

/**
 * The files of a model, opened but not read. What cannot be read here is sent as it is: the service says what is
 * wrong with it.
 * @throws Error when there is no such file
 */
export async function localModel(path: string): Promise<LocalModel> {
  const { size } = await stat(path);
  const files: ModelFile[] = [{ data: await openAsBlob(path) }];
  let bytes = size;
  for (const location of await externalLocations(path)) {
    const data = await openAsBlob(join(dirname(path), location));
    files.push({ location, data });
    bytes += data.size;
  }
  return { files, bytes };
}

async function externalLocations(path: string): Promise<Set<string>> {
  const source = new FileSource(path);
  const beside = externalBeside(path);
  const opened = new Map<string, Awaited<ReturnType<typeof beside>>>();
  try {
    await readModel(source, {
      external: async (location) => {
        const file = await beside(location);
        opened.set(location, file);
        return file;
      },
    });
  } catch {
    return new Set();
  } finally {
    source.close();
    for (const file of opened.values()) if (file instanceof FileSource) file.close();
  }
  return new Set(opened.keys());
}
