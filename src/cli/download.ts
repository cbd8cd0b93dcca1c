/** @file An answer into a file that appears only once it is complete; a broken line is taken up where it broke. */
import { open, rename, rm } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

const MAX_BREAKS = 5;

/**
 * @param stream the bytes from `from` on
 * @param byteLength of the whole
 * @throws what the last try threw
 */
export async function download(
  path: string,
  byteLength: number,
  stream: (from: number) => Promise<ReadableStream<Uint8Array> | null>,
  onProgress: (received: number) => void,
): Promise<void> {
  const partial = `${path}.partial`;
  const file = await open(partial, "w");
  try {
    let received = 0;
    for (let breaks = 0; received < byteLength; breaks++) {
      try {
        for await (const chunk of (await stream(received)) ?? []) {
          await file.write(chunk);
          received += chunk.length;
          onProgress(received);
        }
        if (received < byteLength) throw new Error(`the download ended at ${received} bytes`);
      } catch (error) {
        if (breaks >= MAX_BREAKS) throw error;
        await pause(500 * 2 ** breaks);
      }
    }
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
}
