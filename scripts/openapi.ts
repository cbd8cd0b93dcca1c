/** @file `npm run openapi`: writes openapi.yaml from the routes' schemas. */
import { writeFile } from "node:fs/promises";
import { api } from "../src/routes/api.ts";
import { openApiYaml } from "../src/routes/openapi-document.ts";

const path = new URL("../openapi.yaml", import.meta.url);
await writeFile(path, openApiYaml(api));
