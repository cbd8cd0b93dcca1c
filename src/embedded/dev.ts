/** @file `npm run dev`: the service on 127.0.0.1:8787 until Ctrl-C. */
import { startService } from "./host.ts";

const port = Number(process.env["PORT"] ?? 8787);
const service = await startService({ port });
console.log(`Hone is at ${service.url}   docs: ${service.url}/docs
API key: ${service.apiKey}   (kept in .hone/api-key)

  curl -H "Authorization: Bearer ${service.apiKey}" \\
       --data-binary @model.onnx '${service.url}/v1/quantize' -o model.smaller.onnx
`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Miniflare's own handler would end the process before the service has stopped.
  process.removeAllListeners(signal);
  process.once(signal, () => {
    void service.stop().then(() => process.exit(0));
  });
}
