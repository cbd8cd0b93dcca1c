/** @file The page at /: what this is and where to go. */
import { html } from "hono/html";
import { page } from "./page-layout.ts";

export function landingPage(origin: string): string {
  return page(
    "Hone",
    html`<h1>Hone</h1>
      <p>
        Send an ONNX model, get back a smaller and faster one that is known to load and known to be
        close.
      </p>
      <pre>
curl -H "Authorization: Bearer $HONE_API_KEY" \\
     --data-binary @model.onnx '${origin}/v1/quantize' -o model.quantized.onnx</pre>
      <p>
        <a href="/docs">Documentation</a> · <a href="/openapi.yaml">openapi.yaml</a> ·
        <a href="/healthz">health</a>
      </p>`,
  );
}
