/** @file #/webhooks/{id}: an endpoint: its secret anew, a test, and what it was told. */
import { useState } from "preact/hooks";
import type { WebhookEndpoint } from "../../../../sdk/typescript/src/generated/schema.d.ts";
import { ConfirmButton } from "../parts/buttons.tsx";
import { Facts } from "../parts/facts.tsx";
import { Page } from "../parts/page.tsx";
import { Refused } from "../parts/problem.tsx";
import { Secret } from "../parts/secret.tsx";
import { go, to } from "../router.ts";
import { useHone } from "../session.ts";
import { useAction, useLoad } from "../use-load.ts";
import { DeliveryLog } from "./delivery-log.tsx";
import { eventsText } from "./endpoint-list.tsx";

export function EndpointPage({ id }: { id: string }) {
  const hone = useHone();
  const params = { path: { id } };
  const { data, error, reload } = useLoad(
    async () => (await hone.api.GET("/v1/webhook-endpoints/{id}", { params })).data,
    [id],
  );
  return (
    <Page title="Endpoint" kicker={<a href={to(["webhooks"])}>Webhooks</a>}>
      <Refused error={error} />
      <div class="reserve">{data ? <About endpoint={data} /> : !error && <p>Loading…</p>}</div>
      {data && <Actions endpoint={data} onChange={reload} />}
      <DeliveryLog endpoint={id} />
    </Page>
  );
}

function About({ endpoint }: { endpoint: WebhookEndpoint }) {
  return (
    <Facts
      facts={[
        ["Address", <code>{endpoint.url}</code>],
        ["Events", eventsText(endpoint)],
        ["Description", endpoint.description || "–"],
        ["State", endpoint.disabled_reason ?? "works"],
      ]}
    />
  );
}

function Actions({ endpoint, onChange }: { endpoint: WebhookEndpoint; onChange: () => void }) {
  const hone = useHone();
  const params = { path: { id: endpoint.id } };
  const [secret, setSecret] = useState<string>();
  const test = useAction(async () => {
    await hone.api.POST("/v1/webhook-endpoints/{id}/test", { params });
  });
  const rotation = useAction(async () => {
    const { data } = await hone.api.POST("/v1/webhook-endpoints/{id}/rotate", { params });
    setSecret(data?.secret);
  });
  const enabling = useAction(async () => {
    await hone.api.POST("/v1/webhook-endpoints/{id}/enable", { params });
    onChange();
  });
  const removal = useAction(async () => {
    await hone.api.DELETE("/v1/webhook-endpoints/{id}", { params });
    go(["webhooks"]);
  });
  return (
    <>
      <p class="row">
        <button type="button" disabled={test.busy} onClick={test.run}>
          Send a test event
        </button>
        {endpoint.disabled_reason !== null && (
          <button type="button" disabled={enabling.busy} onClick={enabling.run}>
            Send again
          </button>
        )}
        <ConfirmButton
          label="Rotate the secret"
          sure="Rotate: the old one signs a day longer"
          onConfirm={rotation.run}
          disabled={rotation.busy}
        />
        <ConfirmButton
          label="Delete"
          sure="Delete it, and what it was not told yet"
          onConfirm={removal.run}
          disabled={removal.busy}
        />
      </p>
      <Refused error={test.error ?? rotation.error ?? enabling.error ?? removal.error} />
      <Secret secret={secret} what="the secret" />
    </>
  );
}
