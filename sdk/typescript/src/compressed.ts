/** @file What `/v1/quantize`, `/v1/prune` and `/v1/simplify` hand back: the smaller model, and what the report says of it. */
import type { Report, ReportSummary } from "./generated/schema.d.ts";
import type { Transport } from "./transport.ts";

export class CompressedModel {
  /** Sizes, ratio, closeness; the full report is one call away. */
  readonly summary: ReportSummary;
  readonly byteLength: number;
  readonly reportId: string;
  readonly #response: Response;
  readonly #transport: Transport;

  constructor(response: Response, transport: Transport) {
    const { headers } = response;
    this.summary = JSON.parse(headers.get("Hone-Report") ?? "{}") as ReportSummary;
    this.byteLength = Number(headers.get("Content-Length"));
    this.reportId = /\/v1\/reports\/([^>/]+)>/.exec(headers.get("Link") ?? "")?.[1] ?? "";
    this.#response = response;
    this.#transport = transport;
  }

  /** The ONNX file, as it arrives; can be taken once, as this or as bytes. */
  get stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (!this.#response.body) throw new TypeError("hone: the answer has no body");
    return this.#response.body;
  }

  /** The ONNX file in memory. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.#response.arrayBuffer());
  }

  /** Per output and weight: what changed, how close it is, what stayed float and why. */
  async report(): Promise<Report> {
    const { data } = await this.#transport.GET("/v1/reports/{id}", {
      params: { path: { id: this.reportId } },
    });
    return data as Report;
  }
}
