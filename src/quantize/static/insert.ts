/** @file QuantizeLinear and DequantizeLinear around what is marked: constants as codes, activations as pairs. */
import { makeInt } from "../../graph/attributes.ts";
import { makeFloat32, makeNode, makeTensor } from "../../graph/build.ts";
import type { ActivationChange } from "../../graph/report.ts";
import { DataType } from "../../onnx/data-type.ts";
import type { AffineType } from "../affine.ts";
import { parameterData } from "../affine-weight.ts";
import type { QuantizedConstant } from "./constants.ts";
import type { Mark } from "./marks.ts";
import { keepFloat, type StaticPass } from "./pass.ts";

/** Scale and zero point of a value that has codes, by the names of the initializers that hold them. */
export interface QuantizedTensor {
  scale: string;
  zeroPoint: string;
  axis: number | undefined;
}

const CODE_TYPES = { int8: DataType.int8, uint8: DataType.uint8 } as const satisfies Record<
  AffineType,
  DataType
>;

export class Insertion {
  /** What has codes by now. */
  readonly done = new Map<string, QuantizedTensor>();
  readonly #activations = new Map<string, ActivationChange>();
  readonly #pass: StaticPass;
  readonly #constants: ReadonlyMap<string, QuantizedConstant>;

  constructor(pass: StaticPass, constants: ReadonlyMap<string, QuantizedConstant>) {
    this.#pass = pass;
    this.#constants = constants;
  }

  run(): void {
    const { marks } = this.#pass;
    const shared = new Map<string, Mark>();
    for (const [name, mark] of marks.tensors) {
      if (mark.provider !== undefined) shared.set(name, mark);
      else if (this.#constants.has(name)) this.#insertConstant(name);
      else if (!this.#pass.graph.graph.initializers.has(name)) this.#insertOwn(name);
    }
    this.#insertShared(shared);
  }

  #insertConstant(name: string): void {
    const { graph, report } = this.#pass;
    const constant = this.#constants.get(name);
    if (!constant) return;
    const { weight, type, axis, change } = constant;
    const codes = graph.names.fresh(`${name}_quantized`);
    const value = this.#parameters(name, type, weight.scale, weight.zeroPoint, axis);
    const { initializers } = graph.graph;
    initializers.set(codes, makeTensor(codes, CODE_TYPES[type], weight.dims, weight.data));
    const output = graph.names.fresh(`${name}_DequantizeLinear_Output`);
    graph.redirect(name, output);
    this.#dequantize(name, codes, value, output);
    this.done.set(name, value);
    report.changed.push(change);
  }

  /** An activation with a range of its own. */
  #insertOwn(name: string): void {
    const { parameters, settings } = this.#pass;
    // Made from codes already: they are left as they are, and with them what is computed from them.
    if (isDequantized(this.#pass, name)) return;
    const found = parameters.get(name);
    const range = this.#pass.ranges.ranges.get(name);
    if (!found || !range) return;
    const type = settings.activationType;
    const scale = Float32Array.of(found.scale);
    const zero = type === "int8" ? Int8Array.of(found.zeroPoint) : Uint8Array.of(found.zeroPoint);
    const value = this.#parameters(name, type, scale, zero, undefined);
    if (!this.#insertPair(name, value)) return;
    this.#report({
      name,
      type,
      low: range.low,
      high: range.high,
      scale: found.scale,
      zeroPoint: found.zeroPoint,
      sharedWith: null,
    });
  }

  /** Each as soon as what it shares with has codes; what never gets them leaves it float. */
  #insertShared(shared: ReadonlyMap<string, Mark>): void {
    const waiting = new Map<string, string[]>();
    const ready: string[] = [];
    for (const [name, { provider = "" }] of shared) {
      if (this.done.has(provider)) ready.push(name);
      else if (waiting.get(provider)?.push(name) === undefined) waiting.set(provider, [name]);
    }
    // The list grows as it is gone through.
    for (const name of ready) {
      const provider = shared.get(name)?.provider ?? "";
      const value = this.done.get(provider);
      if (!value) continue;
      if (value.axis !== undefined) {
        keepFloat(
          this.#pass,
          name,
          `"${provider}", whose scale it would take, has one per channel`,
        );
      } else if (this.#insertPair(name, value)) {
        this.#reportShared(name, provider);
        ready.push(...(waiting.get(name) ?? []));
        waiting.delete(name);
      }
    }
    for (const [provider, names] of waiting) {
      for (const name of names) keepFloat(this.#pass, name, `"${provider}" has no codes to share`);
    }
  }

  #reportShared(name: string, provider: string): void {
    const { ranges, settings } = this.#pass;
    const origin = this.#activations.get(provider);
    const constant = this.#constants.get(provider);
    const range = ranges.ranges.get(name);
    this.#report({
      name,
      type: constant?.type ?? settings.activationType,
      low: range?.low ?? 0,
      high: range?.high ?? 0,
      scale: origin?.scale ?? constant?.weight.scale[0] ?? 1,
      zeroPoint: origin?.zeroPoint ?? constant?.weight.zeroPoint[0] ?? 0,
      sharedWith: origin?.sharedWith ?? provider,
    });
  }

  #report(activation: ActivationChange): void {
    this.#activations.set(activation.name, activation);
    this.#pass.report.activations.push(activation);
  }

  /** @returns false where the value cannot have other readers than it has */
  #insertPair(name: string, value: QuantizedTensor): boolean {
    const { graph } = this.#pass;
    const { names } = graph;
    let input = name;
    let output = name;
    if (graph.isOutput(name)) {
      if (graph.isInput(name)) {
        keepFloat(this.#pass, name, "it is an input and an output of the graph at once");
        return false;
      }
      input = names.fresh(`${name}_QuantizeLinear_Input`);
      graph.renameOutput(name, input);
    } else {
      output = names.fresh(`${name}_DequantizeLinear_Output`);
      graph.redirect(name, output);
    }
    const codes = names.fresh(`${name}_QuantizeLinear_Output`);
    const label = names.fresh(`${name}_QuantizeLinear`);
    const inputs = [input, value.scale, value.zeroPoint];
    graph.add(makeNode("QuantizeLinear", inputs, [codes], { name: label }));
    this.#dequantize(name, codes, value, output);
    this.done.set(name, value);
    return true;
  }

  #dequantize(name: string, codes: string, value: QuantizedTensor, output: string): void {
    const { graph } = this.#pass;
    const { scale, zeroPoint, axis } = value;
    graph.add(
      makeNode("DequantizeLinear", [codes, scale, zeroPoint], [output], {
        name: graph.names.fresh(`${name}_DequantizeLinear`),
        attributes: axis === undefined ? [] : [makeInt("axis", axis)],
      }),
    );
  }

  #parameters(
    name: string,
    type: AffineType,
    scales: Float32Array,
    zeros: Int8Array | Uint8Array,
    axis: number | undefined,
  ): QuantizedTensor {
    const { names, graph } = this.#pass.graph;
    const scale = names.fresh(`${name}_scale`);
    const zeroPoint = names.fresh(`${name}_zero_point`);
    const dims = axis === undefined ? [] : [scales.length];
    graph.initializers.set(scale, makeFloat32(scale, [...scales], dims));
    const data = parameterData({}, zeros.length, () => zeros);
    graph.initializers.set(zeroPoint, makeTensor(zeroPoint, CODE_TYPES[type], dims, data));
    return { scale, zeroPoint, axis };
  }
}

export function isDequantized({ graph }: StaticPass, name: string): boolean {
  return graph.producer(name)?.opType === "DequantizeLinear";
}
