/** @file A pause in a long stream, in which others are heard. */

/**
 * Waits for a timer, which fires once the event loop has looked at its sockets. Between storage and Worker on one
 * machine something is always ready, so without it a long conversion would keep every other request waiting.
 */
export async function breathe(): Promise<void> {
  await scheduler.wait(1);
}
