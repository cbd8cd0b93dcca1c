/** @file The edge runtime as a worker of its own, for tests: built beforehand, called over RPC. */
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

import { edgeRuntime } from "../../../src/runtime/edge.ts";
import type { HostTensor, Session } from "../../../src/runtime/runtime.ts";

/** A failure as a value: workerd logs each exception that crosses RPC as uncaught. */
export type Outcome<T> = { value: T } | { error: string };

async function outcome<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

export interface LoadedModel {
  session: RemoteSession;
  inputs: string[];
  outputs: string[];
}

export class RemoteSession extends RpcTarget {
  readonly #session: Session;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  run(feeds: Record<string, HostTensor>): Promise<Outcome<Record<string, HostTensor>>> {
    return outcome(async () => await this.#session.run(feeds));
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** Names of models whose bytes were sent. */
const models = new Map<string, Uint8Array>();

export default class OrtService extends WorkerEntrypoint {
  /** `undefined` when the model is not known by its name yet: it is to be sent along then. */
  async runResident(
    name: string,
    feeds: Record<string, HostTensor>,
    model?: Uint8Array,
  ): Promise<Outcome<Record<string, HostTensor>> | undefined> {
    if (model) models.set(name, model);
    const bytes = models.get(name);
    if (!bytes) return undefined;
    return await outcome(
      async () => await edgeRuntime().runResident(name, async () => bytes, feeds),
    );
  }

  heapBytes(): number {
    return edgeRuntime().heapBytes;
  }

  load(model: Uint8Array): Promise<Outcome<LoadedModel>> {
    return outcome(async () => {
      const session = await edgeRuntime().load(model);
      return {
        session: new RemoteSession(session),
        inputs: [...session.inputNames],
        outputs: [...session.outputNames],
      };
    });
  }
}
