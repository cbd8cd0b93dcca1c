/** @file Code that runs in a thread with a small heap, and fails where it needs more: a count of memory, not of time. */
import { Worker } from "node:worker_threads";

/**
 * What the code answers.
 * @param megabytes of the old generation; typed arrays lie outside
 * @param code a module's body, which calls `answer` once
 * @throws when it runs out of memory, or fails
 */
export async function heapOf(megabytes: number, code: string): Promise<unknown> {
  const body = `const { parentPort } = require("node:worker_threads");
    const answer = (value) => parentPort.postMessage(value);
    (async () => { ${code} })().catch((error) => { throw error; });`;
  const worker = new Worker(body, {
    eval: true,
    resourceLimits: { maxOldGenerationSizeMb: megabytes },
  });
  try {
    return await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", () => reject(new Error("the thread ended without an answer")));
    });
  } finally {
    await worker.terminate();
  }
}
