/** @file What the pass reports: each weight that changed, filled in as it is written, and what stayed. */
import { type PassReport, sqnrDb, type WeightChange } from "../../graph/report.ts";
import { nodeLabel } from "../../graph/weights.ts";
import type { Arena } from "../../kernels/arena.ts";
import { dataTypeName } from "../../onnx/data-type.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import { type HalfFormat, type HalfSummary, halfTensor } from "./half-data.ts";

export class Account {
  readonly #report: PassReport;
  readonly #format: HalfFormat;
  readonly #arena: Arena;

  constructor(report: PassReport, format: HalfFormat, arena: Arena) {
    this.#report = report;
    this.#format = format;
    this.#arena = arena;
  }

  /** The tensor in 16 bits, with an entry in the report. */
  weight(tensor: Tensor, name: string, reader: Node | undefined): Tensor {
    const to = dataTypeName(this.#format.dataType);
    const change: WeightChange = {
      name,
      node: reader ? nodeLabel(reader) : "",
      method: to,
      dims: [...tensor.dims],
      from: "float32",
      to,
      bytesBefore: tensor.data.byteLength,
      bytesAfter: tensor.data.byteLength / 2,
      sqnrDb: null,
    };
    this.#report.changed.push(change);
    return halfTensor(tensor, this.#format, this.#arena, (summary) => {
      change.sqnrDb = sqnrDb(summary.signal, summary.error);
      const remark = describe(summary, this.#format);
      const method = remark ? `${to} (${remark})` : to;
      // A model may be written more than once.
      if (remark && change.method !== method) this.#report.notes.push(`"${name}": ${remark}`);
      change.method = method;
    });
  }

  /** The tensor in 16 bits, where it is no weight: a copy of a small constant, a fill value. */
  silent(tensor: Tensor): Tensor {
    return halfTensor(tensor, this.#format, this.#arena, () => {});
  }
}

function describe(summary: HalfSummary, format: HalfFormat): string {
  const parts: string[] = [];
  if (summary.clamped > 0) {
    const values = summary.clamped === 1 ? "1 value" : `${summary.clamped} values`;
    parts.push(
      `${values} clamped to ±${shortNumber(format.maxFinite)}, the largest was ${shortNumber(summary.largest)}`,
    );
  }
  if (summary.nonFinite > 0) parts.push(`${summary.nonFinite} NaN or Inf stay so`);
  return parts.join("; ");
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(7)));
}
