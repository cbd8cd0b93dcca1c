/** @file A job's events in words, the latest first. */
import type { EpochMetrics } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import type { JobEvent } from "../../../../sdk/typescript/src/index.ts";
import { count, real } from "../format.ts";
import { Table } from "../parts/table.tsx";
import type { AnyJob } from "./use-job.ts";

const SHOWN = 100;

export function EventLog({ events }: { events: readonly JobEvent[] }) {
  return (
    <details>
      <summary>Log: {count(events.length, "event")}</summary>
      <Table
        caption={`Events, the latest ${SHOWN} first`}
        hidden
        rows={events.slice(-SHOWN).reverse()}
        rowKey={({ id }, index) => id ?? index}
        empty="Nothing yet."
        columns={[
          { title: "Event", cell: ({ id }) => id ?? "" },
          { title: "Kind", cell: ({ type }) => type },
          { title: "What", cell: eventText },
        ]}
      />
    </details>
  );
}

function eventText({ type, data }: JobEvent): string {
  if (type === "state") {
    const { state, error } = data as AnyJob;
    return error ? `${state}: ${error.detail}` : state;
  }
  if (type === "metrics") {
    const { epoch, loss, accuracy, validation_loss } = data as EpochMetrics;
    const parts = [`epoch ${epoch}: loss ${real(loss)}`];
    if (accuracy !== null) parts.push(`accuracy ${real(accuracy)}`);
    if (validation_loss !== null) parts.push(`validation loss ${real(validation_loss)}`);
    return parts.join(", ");
  }
  const { doing, fraction, ...rest } = data as AnyJob["progress"] & {
    step?: number;
    loss?: number;
  };
  const step = rest.step === undefined ? "" : `, step ${rest.step}, loss ${real(rest.loss)}`;
  return `${Math.floor(fraction * 100)} %, ${doing}${step}`;
}
