/** @file Random models of what simplification looks for, between what it has to leave alone. */
import { makeInt, makeInts } from "../../../src/graph/attributes.ts";
import { makeFloat32, makeInt64, makeNode } from "../../../src/graph/build.ts";
import type { Dimension, Graph, Model, Node, Tensor } from "../../../src/onnx/model.ts";
import { graphOf, info, model } from "./models.ts";

/** A value and the shape that it has on the inputs that are fed. */
interface Value {
  name: string;
  shape: number[];
}

export const FED = [2, 3, 4];

/** A model of x [2, 3, 4] and a condition c, made from a stream of choices. */
export class RandomGraph {
  readonly #choices: readonly number[];
  #at = 0;
  #names = 0;
  readonly #nodes: Node[] = [];
  readonly #initializers: Tensor[] = [];
  readonly #values: Value[] = [{ name: "x", shape: FED }];

  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  build(): Model {
    const open = this.#choose(8);
    const shape = FED.map((size, axis): Dimension => (open & (1 << axis) ? `d${axis % 2}` : size));
    while (this.#at < this.#choices.length) this.#step();
    const outputs = [this.#values.at(-1), this.#value(), this.#value()];
    const names = [...new Set(outputs.flatMap((value) => value?.name ?? []))];
    return model(this.#nodes, {
      inputs: [info("x", shape), info("c", [], 9)],
      outputs: names.map((name) => info(name)),
      initializers: this.#initializers,
    });
  }

  #choose(count: number): number {
    return (this.#choices[this.#at++] ?? 0) % count;
  }

  #name(): string {
    return `v${this.#names++}`;
  }

  #value(): Value {
    return this.#values[this.#choose(this.#values.length)] ?? { name: "x", shape: FED };
  }

  #add(opType: string, inputs: string[], shape: number[], node: Partial<Node> = {}): void {
    this.#values.push({ name: this.#emit(opType, inputs, node), shape });
  }

  #emit(opType: string, inputs: string[], node: Partial<Node> = {}): string {
    const name = this.#name();
    this.#nodes.push({ ...makeNode(opType, inputs, [name]), ...node });
    return name;
  }

  #ints(values: number[], scalar = false): string {
    const tensor = makeInt64(this.#name(), values, scalar);
    if (this.#choose(2) === 0) {
      this.#initializers.push(tensor);
      return tensor.name;
    }
    return this.#emit("Constant", [], {
      attributes: [{ name: "value", type: "tensor", value: { ...tensor, name: "" } }],
    });
  }

  #floats(values: number[], dims: number[]): string {
    const tensor = makeFloat32(this.#name(), values, dims);
    this.#initializers.push(tensor);
    return tensor.name;
  }

  #step(): void {
    const { name, shape } = this.#value();
    const rank = shape.length;
    const axis = this.#choose(Math.max(1, rank));
    switch (this.#choose(13)) {
      case 0:
      case 1: {
        const op = ["Tanh", "Relu", "Identity", "Dropout", "Neg", "Sigmoid"][this.#choose(6)];
        return this.#add(op ?? "Tanh", [name], shape);
      }
      case 2: {
        const other =
          this.#values.find((value) => `${value.shape}` === `${shape}`) ?? this.#value();
        if (`${other.shape}` !== `${shape}`) return;
        return this.#add(
          ["Add", "Sub", "Max"][this.#choose(3)] ?? "Add",
          [name, other.name],
          shape,
        );
      }
      case 3: {
        const constant = this.#floats(
          [[0, 1, 0.5][this.#choose(3)] ?? 0],
          this.#choose(2) ? [1] : [],
        );
        if (rank === 0) return;
        const op = ["Add", "Mul", "Sub", "Div"][this.#choose(4)] ?? "Add";
        return this.#add(op === "Div" ? "Mul" : op, [name, constant], shape);
      }
      case 4: {
        const perm = [...shape.keys()].toSorted(
          (a, b) => ((a + axis) % rank) - ((b + axis) % rank),
        );
        const attributes = this.#choose(3) ? [makeInts("perm", perm)] : [];
        const used = attributes.length > 0 ? perm : [...shape.keys()].toReversed();
        return this.#add(
          "Transpose",
          [name],
          used.map((from) => shape[from] ?? 1),
          { attributes },
        );
      }
      case 5: {
        const target = this.#choose(2) ? shape.toReversed() : [shape.reduce((a, b) => a * b, 1)];
        const open = target.map((size, i) => (i === 0 && this.#choose(2) ? -1 : size));
        return this.#add("Reshape", [name, this.#ints(open)], target);
      }
      case 6:
        return this.#reshapeByShapes(name, shape);
      case 7: {
        const places = this.#ints([axis]);
        if (this.#choose(2)) {
          return this.#add("Unsqueeze", [name, places], shape.toSpliced(axis, 0, 1));
        }
        if (shape[axis] !== 1) return;
        return this.#add("Squeeze", [name, places], shape.toSpliced(axis, 1));
      }
      case 8: {
        if (rank === 0) return;
        const size = shape[axis] ?? 1;
        const end = this.#choose(2) ? 2 ** 31 : Math.max(1, size - 1);
        const inputs = [name, this.#ints([0]), this.#ints([end]), this.#ints([axis])];
        return this.#add("Slice", inputs, shape.with(axis, Math.min(size, end)));
      }
      case 9: {
        if (rank === 0) return;
        const attributes = [makeInt("axis", axis)];
        const twice = this.#choose(2);
        const inputs = twice ? [name, name] : [name];
        const whole = shape.with(axis, (shape[axis] ?? 1) * inputs.length);
        if (whole.reduce((a, b) => a * b, 1) > 500) return;
        return this.#add("Concat", inputs, whole, { attributes });
      }
      case 10: {
        const base = this.#emit("Exp", [this.#floats([0.1, 0.2], [2])]);
        const sum = this.#emit("ReduceSum", [base], { attributes: [makeInt("keepdims", 0)] });
        return this.#add("Add", [name, sum], shape);
      }
      case 11: {
        const filled = this.#emit("Expand", [this.#floats([0.3], []), this.#ints(shape)]);
        return this.#add("Add", [name, filled], shape);
      }
      default:
        return this.#choice(name, shape);
    }
  }

  /** Reshape to its own sizes, computed, in reverse or as they are. */
  #reshapeByShapes(name: string, shape: number[]): void {
    if (shape.length === 0) return;
    const computed = this.#emit("Shape", [name]);
    const order = this.#choose(2) ? [...shape.keys()] : [...shape.keys()].toReversed();
    const sizes = order.map((axis) => {
      const size = this.#emit("Gather", [computed, this.#ints([axis], true)]);
      return this.#emit("Unsqueeze", [size, this.#ints([0])]);
    });
    const target = this.#emit("Concat", sizes, { attributes: [makeInt("axis", 0)] });
    this.#add(
      "Reshape",
      [name, target],
      order.map((axis) => shape[axis] ?? 1),
    );
  }

  /** An If on the fed condition, or on the rank, which is known. */
  #choice(name: string, shape: number[]): void {
    const known = this.#choose(2);
    const rank = this.#emit("Size", [this.#emit("Shape", [name])]);
    const condition = this.#emit("Equal", [
      rank,
      this.#ints([shape.length + this.#choose(2)], true),
    ]);
    const branch = (op: string): Graph => {
      const [middle, result] = [this.#name(), this.#name()];
      const nodes = [
        makeNode(op, [name], [middle]),
        makeNode("Mul", [middle, `half${result}`], [result]),
      ];
      return graphOf(nodes, {
        inputs: [],
        outputs: [info(result)],
        initializers: [makeFloat32(`half${result}`, [0.5], [])],
      });
    };
    const attributes = [
      { name: "then_branch", type: "graph" as const, value: branch("Tanh") },
      { name: "else_branch", type: "graph" as const, value: branch("Identity") },
    ];
    this.#add("If", [known ? condition : "c"], shape, { attributes });
  }
}
