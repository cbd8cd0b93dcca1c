/** @file A received model into the catalogue: inspected first, so that only valid models are listed. */
import { ApiError } from "../problem/api-error.ts";
import { addModel, type Lineage, type StoredModel } from "../store/models.ts";
import type { Spooled } from "../store/spool.ts";
import type { TemporaryObjects } from "../store/temporary-objects.ts";
import { inspectModel } from "./inspect-model.ts";
import { pokeEvents } from "./webhooks/dispatch.ts";

export interface ModelToStore {
  id?: string;
  name: string;
  lineage?: Lineage;
  model: Spooled;
  external: ReadonlyMap<string, Spooled>;
}

/** @throws OnnxError when the model is refused; ApiError `unexpected_file` for a file that it does not name */
export async function storeModel(
  env: Env,
  workspace: string,
  objects: TemporaryObjects,
  { model, external, ...rest }: ModelToStore,
): Promise<StoredModel> {
  const { description, locations } = await inspectModel({
    source: model.source,
    external: async (location) => external.get(location)?.source,
  });
  for (const location of external.keys()) {
    if (locations.has(location)) continue;
    const named = [...locations].slice(0, 5).map((each) => `"${each}"`);
    const hint = named.length > 0 ? `only ${named.join(", ")}` : "no external data";
    throw new ApiError("unexpected_file", `the model does not use "${location}", ${hint}`);
  }
  const files = [
    { location: "", ...model },
    ...Array.from(external, ([location, file]) => ({ location, ...file })),
  ];
  const stored = await addModel(env, workspace, objects, { ...rest, description, files });
  await pokeEvents(env, { workspace });
  return stored;
}
