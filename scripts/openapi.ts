/** @file `npm run openapi`: writes openapi.yaml from the routes' schemas. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { api } from "../src/routes/api.ts";
import { openApiYaml } from "../src/routes/openapi-document.ts";

await writeFile(join(import.meta.dirname, "../openapi.yaml"), openApiYaml(api));
