/** @file Nodes that hand on their input as it is. */
import { intAttribute, intsAttribute } from "../../graph/attributes.ts";
import { opsetVersion } from "../../graph/build.ts";
import type { Node, Tensor } from "../../onnx/model.ts";
import { tensorNumbers } from "../../graph/constants.ts";
import { elementCount } from "../../onnx/data-type.ts";
import type { Pass, Subject } from "../pass.ts";
import { Wiring } from "../wiring.ts";

/** From here on an end means "to the end", whatever the size (exporters write INT32_MAX or INT64_MAX). */
const OPEN_END = 2 ** 31 - 1;

export const eliminateNoops: Pass = async (subject) => {
  const wiring = new Wiring(subject.model);
  const rules = new Rules(subject, wiring);
  let count = 0;
  for (const { node } of wiring.each()) {
    const [output = "", ...others] = node.outputs;
    const [input = ""] = node.inputs;
    if (!output || !input || others.some((name) => name && wiring.isRead(name))) continue;
    const same = await rules.sameAs(node);
    if (!same || !wiring.canSubstitute(output, same)) continue;
    wiring.substitute(output, same);
    wiring.remove(node);
    count++;
  }
  wiring.commit();
  return count;
};

class Rules {
  readonly #subject: Subject;
  readonly #wiring: Wiring;
  readonly #opset: number;

  constructor(subject: Subject, wiring: Wiring) {
    this.#subject = subject;
    this.#wiring = wiring;
    this.#opset = opsetVersion(subject.model) ?? 1;
  }

  /** The input that the node's first output equals. */
  async sameAs(node: Node): Promise<string | undefined> {
    const { types } = this.#subject;
    const [x = "", y = ""] = node.inputs;
    const when = (isNoop: boolean): string | undefined => (isNoop ? x : undefined);
    switch (node.opType) {
      case "Identity":
        return x;
      case "Dropout":
        return when(await this.#isInference(node));
      case "Cast":
      case "CastLike": {
        const type = types.elementType(x);
        return when(type !== undefined && type === types.elementType(node.outputs[0]));
      }
      case "Reshape":
      case "Flatten":
      case "Squeeze":
      case "Unsqueeze":
      case "Expand":
        return when(types.sameShape(x, node.outputs[0]));
      case "Transpose":
        return when(intsAttribute(node, "perm")?.every((axis, i) => axis === i) === true);
      case "Concat":
      case "Sum":
      case "Max":
      case "Min":
      case "Mean":
        return when(node.inputs.length === 1);
      case "Pad":
        return when(await this.#all(node, "pads", 1, 0));
      case "Tile":
        return when(this.#opset >= 6 && (await this.#all(node, undefined, 1, 1)));
      case "Slice":
        return when(await this.#isWhole(node));
      case "Add":
        return (await this.#isNeutral(x, y, 0)) ?? (await this.#isNeutral(y, x, 0));
      case "Mul":
        return (await this.#isNeutral(x, y, 1)) ?? (await this.#isNeutral(y, x, 1));
      case "Sub":
        return await this.#isNeutral(x, y, 0);
      case "Div":
        return await this.#isNeutral(x, y, 1);
      default:
        return undefined;
    }
  }

  /** Until opset 6 an attribute said so, from 12 on an input does; between, Dropout never drops. */
  async #isInference(node: Node): Promise<boolean> {
    if (this.#opset < 7) return intAttribute(node, "is_test", 0) === 1;
    const training = node.inputs[2];
    if (!training) return true;
    return (await this.#numbers(training))?.[0] === 0;
  }

  /** Every number of a list that is an attribute in old opsets and an input in newer ones. */
  async #all(node: Node, attribute: string | undefined, input: number, value: number) {
    const list =
      (attribute && intsAttribute(node, attribute)) || (await this.#numbers(node.inputs[input]));
    return list !== undefined && list.length > 0 && list.every((element) => element === value);
  }

  async #isWhole(node: Node): Promise<boolean> {
    const list = async (attribute: string, input: number): Promise<number[] | undefined> =>
      intsAttribute(node, attribute) ?? (await this.#numbers(node.inputs[input]));
    const [starts, ends, axes, steps] = [
      await list("starts", 1),
      await list("ends", 2),
      await list("axes", 3),
      await list("steps", 4),
    ];
    if (!starts || !ends || (node.inputs[3] && !axes)) return false;
    if (node.inputs[4] && !steps?.every((step) => step === 1)) return false;
    const shape = this.#subject.types.shape(node.inputs[0]);
    return starts.every((start, i) => {
      const axis = axes ? (axes[i] ?? 0) : i;
      const size = shape?.at(axis);
      const end = ends[i] ?? 0;
      return start === 0 && (end >= OPEN_END || (typeof size === "number" && end >= size));
    });
  }

  /** `x`, where the other operand is one neutral element that does not add dimensions. */
  async #isNeutral(x: string, other: string, neutral: number): Promise<string | undefined> {
    const tensor = this.#wiring.constant(other);
    if (!tensor || this.#opset < 7 || elementCount(tensor.dims) !== 1) return undefined;
    const rank = this.#subject.types.shape(x)?.length ?? 0;
    if (tensor.dims.length > rank) return undefined;
    return (await tensorNumbers(tensor))?.[0] === neutral ? x : undefined;
  }

  async #numbers(name: string | undefined): Promise<number[] | undefined> {
    const tensor: Tensor | undefined = this.#wiring.constant(name);
    return tensor && (await tensorNumbers(tensor));
  }
}
