/** @file Ending a run of ONNX Runtime that goes on and on, from inside. */

/**
 * A run ends after so many nodes, a Loop's in every iteration, or so much time, which a Worker's clock may not show: a
 * model can ask for 2^62 iterations, and nothing else gets a turn while ONNX Runtime computes.
 */
const MAX_RUN_NODES = 500_000;
const MAX_RUN_MS = 10_000;
/** How often the clock is read. */
const NODES_A_LOOK = 256;

/** What one run has computed so far. */
export class RunSteps {
  #nodes = 0;
  #started = Infinity;

  begin(isRun: boolean): void {
    this.#nodes = 0;
    this.#started = isRun ? Date.now() : Infinity;
  }

  /** @throws Error when the run has to end; the instance is broken then */
  add(): void {
    if (++this.#nodes % NODES_A_LOOK !== 0 || this.#started === Infinity) return;
    if (this.#nodes > MAX_RUN_NODES) {
      throw new Error(`it computes more than ${MAX_RUN_NODES} nodes: does a Loop not end?`);
    }
    if (Date.now() - this.#started > MAX_RUN_MS) {
      throw new Error(`it takes more than ${MAX_RUN_MS / 1000} s here`);
    }
  }
}

/** ONNX Runtime calls each node's kernel through the glue, by a function of two parameters that catches exceptions. */
export function countNodes(imports: WebAssembly.Imports, count: () => void): void {
  const functions = imports["a"] ?? {};
  for (const [name, call] of Object.entries(functions)) {
    if (typeof call !== "function" || call.length !== 2) continue;
    functions[name] = (first: unknown, second: unknown): unknown => {
      count();
      return (call as (first: unknown, second: unknown) => unknown)(first, second);
    };
  }
}
