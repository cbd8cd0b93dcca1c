/** @file What the operators want quantized: values, with the one whose scale they take, and biases. Later steps carry it out, in this order. */
import type { Node } from "../../onnx/model.ts";

export interface Mark {
  /** Constants of operators that are not weights (the addend of an Add) are quantized as activations are. */
  kind: "activation" | "weight";
  /** One scale per index of this axis; weights only. */
  axis?: number;
  /** The value whose scale and zero point this one takes. */
  provider?: string;
}

export interface BiasMark {
  node: Node;
  input: string;
  weight: string;
  /** The factor between the bias and the product's scale: Gemm's beta. */
  beta: number;
}

export class Marks {
  readonly tensors = new Map<string, Mark>();
  readonly biases = new Map<string, BiasMark>();

  /** The first who asks says how; one who moves values overrules that. */
  add(name: string, kind: Mark["kind"]): void {
    if (!this.tensors.has(name)) this.tensors.set(name, { kind });
  }

  addPerChannel(name: string, axis: number): void {
    this.tensors.set(name, { kind: "weight", axis });
  }

  addShared(name: string, provider: string): void {
    this.tensors.set(name, { kind: "activation", provider });
  }

  has(name: string): boolean {
    return this.tensors.has(name) || this.biases.has(name);
  }
}
