/** @file Events as endpoints are told of them. */

export const EVENT_TYPES = [
  "job.queued",
  "job.running",
  "job.progress",
  "job.succeeded",
  "job.failed",
  "job.canceled",
  "model.created",
  "model.deleted",
  "runner.lost",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export interface WebhookEvent {
  id: string;
  type: EventType | "test";
  /** Unix milliseconds. */
  createdAt: number;
  data: unknown;
}

/** Receivers may refuse larger bodies. */
const MAX_DATA_BYTES = 18_000;

/**
 * What is sent, under 20 KB: of data that is larger only its plain fields are kept, and `truncated` says so.
 * @param sequence counts up by one with each event of the endpoint
 */
export function payloadOf({ id, type, createdAt, data }: WebhookEvent, sequence: number): string {
  const timestamp = new Date(createdAt).toISOString();
  const whole = JSON.stringify({ id, type, timestamp, sequence, data });
  if (new TextEncoder().encode(whole).length <= MAX_DATA_BYTES) return whole;
  const plain = Object.entries(data as Record<string, unknown>).filter(
    ([, value]) => typeof value !== "object" && JSON.stringify(value).length < 500,
  );
  return JSON.stringify({
    id,
    type,
    timestamp,
    sequence,
    truncated: true,
    data: Object.fromEntries(plain),
  });
}
