/**
 * @file A Worker of yours that has models made smaller by Hone through a service binding: nothing goes over the network.
 * POST it a model, it answers with the smaller one.
 */
import { Hone, HoneError } from "../../sdk/typescript/src/index.ts";

interface Bindings {
  HONE: Fetcher;
  /** `wrangler secret put HONE_API_KEY` */
  HONE_API_KEY: string;
}

export default {
  async fetch(request, env): Promise<Response> {
    if (request.method !== "POST" || !request.body) {
      return new Response("POST a model\n", { status: 405, headers: { Allow: "POST" } });
    }
    const hone = new Hone({
      apiKey: env.HONE_API_KEY,
      // No name is looked up: the binding takes every address.
      baseUrl: "https://hone",
      fetch: async (input) => await env.HONE.fetch(input),
    });
    try {
      const smaller = await hone.quantize(request.body, { min_cosine: 0.99 });
      const saved = Math.round(100 - 100 / smaller.summary.ratio);
      return new Response(await smaller.bytes(), { headers: { "Saved-Percent": String(saved) } });
    } catch (error) {
      if (!(error instanceof HoneError)) throw error;
      return Response.json({ code: error.code, detail: error.message }, { status: 422 });
    }
  },
} satisfies ExportedHandler<Bindings>;
