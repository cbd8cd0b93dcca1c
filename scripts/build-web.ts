/** @file `npm run build:web`: the console and the runner page as static files in dist/web, loading nothing from elsewhere. */
import { buildWeb } from "../src/embedded/web-build.ts";

console.log(await buildWeb());
