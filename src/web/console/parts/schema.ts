/** @file The API's own description (/openapi.json), from which forms are made. */
import { asError } from "../use-load.ts";

export interface Schema {
  type?: string | string[];
  enum?: readonly (string | number)[];
  description?: string;
  example?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
}

interface OpenApi {
  components: { schemas: Record<string, Schema> };
}

let document: Promise<OpenApi> | undefined;

/** The properties of a named schema, e.g. `QuantizeOptions`. */
export async function optionsOf(name: string): Promise<Record<string, Schema>> {
  document ??= fetch("/openapi.json").then(async (response) => {
    if (!response.ok) throw new Error(`/openapi.json answered ${response.status}`);
    return (await response.json()) as OpenApi;
  });
  try {
    return (await document).components.schemas[name]?.properties ?? {};
  } catch (reason) {
    document = undefined;
    throw asError(reason);
  }
}
