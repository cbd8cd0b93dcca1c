/** @file #/webhooks: where the workspace's events are sent; a new endpoint's secret is shown once. */
import { useState } from "preact/hooks";
import type { WebhookEndpoint } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { EVENT_TYPES, type EventType } from "../../../jobs/webhooks/event.ts";
import { when } from "../format.ts";
import { Checks } from "../parts/checks.tsx";
import { TextField } from "../parts/fields.tsx";
import { Page } from "../parts/page.tsx";
import { MoreButton, usePages } from "../parts/pager.tsx";
import { Refused } from "../parts/problem.tsx";
import { RowForm } from "../parts/row-form.tsx";
import { Secret } from "../parts/secret.tsx";
import { Table } from "../parts/table.tsx";
import { to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";

export function EndpointList() {
  const hone = useHone();
  const [url, setUrl] = useState("");
  const [description, setDescription] = useState("");
  const [events, setEvents] = useState<string[]>(["job.succeeded", "job.failed"]);
  const [secret, setSecret] = useState<string>();
  const pages = usePages(async (query) => {
    return (await hone.api.GET("/v1/webhook-endpoints", { params: { query } })).data;
  }, []);
  const creation = useAction(async () => {
    const body = { url, description, events: events as EventType[] };
    setSecret((await hone.api.POST("/v1/webhook-endpoints", { body })).data?.secret);
    pages.reload();
  });
  return (
    <Page title="Webhooks">
      <p>
        Events of this workspace are sent to your addresses, signed by Standard Webhooks, and sent
        again until they are taken.
      </p>
      <RowForm send="Make an endpoint" action={creation} wide>
        <TextField
          label="Address"
          value={url}
          onChange={setUrl}
          placeholder="https://example.com/hone"
          required
        />
        <TextField label="Description" value={description} onChange={setDescription} />
        <Checks legend="Events" options={EVENT_TYPES} chosen={events} onChange={setEvents} />
      </RowForm>
      <Secret secret={secret} what="the secret" />
      <Refused error={pages.error} />
      <Table<WebhookEndpoint>
        caption="Endpoints, newest first"
        rows={pages.rows}
        rowKey={({ id }) => id}
        empty={pages.loaded ? "None yet." : "Loading…"}
        columns={[
          {
            title: "Address",
            heads: true,
            cell: (endpoint) => <a href={to(["webhooks", endpoint.id])}>{endpoint.url}</a>,
          },
          { title: "Description", cell: (endpoint) => endpoint.description },
          { title: "Events", cell: (endpoint) => eventsText(endpoint) },
          { title: "State", cell: ({ disabled_reason }) => disabled_reason ?? "works" },
          { title: "Since", cell: ({ created_at }) => when(created_at) },
        ]}
      />
      <MoreButton pages={pages} />
    </Page>
  );
}

export const eventsText = ({ events }: Pick<WebhookEndpoint, "events">) =>
  events.map((event) => (event === "*" ? "all" : event)).join(", ");
