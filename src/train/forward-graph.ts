/** @file A model whose forward graph is being rewritten for training: nodes are replaced in place, others appended. */
import { GraphEmitter } from "../autodiff/emitter.ts";
import type { Target } from "../autodiff/rule.ts";
import { inferTypes } from "../graph/infer.ts";
import type { Model, Node, ValueInfo } from "../onnx/model.ts";

export class ForwardGraph {
  readonly model: Model;
  readonly emitter: GraphEmitter;
  #producers: Map<string, Node> | undefined;

  private constructor(model: Model, emitter: GraphEmitter) {
    this.model = model;
    this.emitter = emitter;
  }

  /** The model is changed from now on. */
  static async of(model: Model, target: Target): Promise<ForwardGraph> {
    return new ForwardGraph(model, new GraphEmitter(model, await inferTypes(model), target));
  }

  /** The node that makes a value; `undefined` for inputs and initializers. */
  producer(name: string): Node | undefined {
    this.#producers ??= new Map(
      [...this.model.graph.nodes, ...this.emitter.nodes].flatMap((node) =>
        node.outputs.map((output) => [output, node]),
      ),
    );
    return this.#producers.get(name);
  }

  /**
   * Goes through the nodes in order. `visit` may change the node and emit nodes; what it emits comes
   * before the node, and in its place where it returns false.
   */
  rewrite(visit: (node: Node) => boolean): void {
    const { graph } = this.model;
    graph.nodes = graph.nodes.flatMap((node) => {
      this.emitter.node = node;
      const kept = visit(node);
      const emitted = this.#take();
      return kept ? [...emitted, node] : emitted;
    });
    this.emitter.node = undefined;
    this.#producers = undefined;
  }

  /** Gives the last emitted node's output this name: that of the node it takes the place of. */
  nameLast(output: string): void {
    const node = this.emitter.nodes.at(-1);
    if (!node) return;
    this.emitter.setType(output, this.emitter.type(node.outputs[0] ?? ""));
    node.outputs = [output];
  }

  /** Puts what was emitted at the graph's end. */
  append(): void {
    this.model.graph.nodes.push(...this.#take());
    this.#producers = undefined;
  }

  /** Emitted nodes, whose types are declared: what follows for them now may not follow from the bare graph. */
  #take(): Node[] {
    const { nodes } = this.emitter;
    this.emitter.nodes = [];
    for (const name of nodes.flatMap((node) => node.outputs)) {
      const { elementType, shape } = this.emitter.type(name);
      if (elementType && shape) {
        this.model.graph.valueInfos.push(tensorInfo(name, elementType, shape));
      }
    }
    return nodes;
  }
}

export function tensorInfo(
  name: string,
  elementType: number,
  shape: readonly (number | string | undefined)[],
): ValueInfo {
  return { name, type: { kind: "tensor", elementType, shape: [...shape] } };
}
