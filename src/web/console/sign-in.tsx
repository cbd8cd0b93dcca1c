/** @file An API key opens the console; it stays in this tab. */
import { useState } from "preact/hooks";
import { AuthenticationError } from "../../../sdk/typescript/src/index.ts";
import { TextField } from "./parts/fields.tsx";
import { Page } from "./parts/page.tsx";
import { clientOf } from "./session.ts";
import { useAction } from "./use-load.ts";

export function SignIn({ onKey }: { onKey: (key: string) => void }) {
  const [key, setKey] = useState("");
  const { run, busy, error } = useAction(async () => {
    const trimmed = key.trim();
    await clientOf(trimmed).api.GET("/v1/keys", { params: { query: { limit: 1 } } });
    onKey(trimmed);
  });
  return (
    <Page title="Sign in">
      <p>
        The console uses the API with a key of yours. It is kept in this tab, and gone when the tab
        is.
      </p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <TextField label="API key" value={key} onChange={setKey} secret required />
        <button class="primary" type="submit" disabled={busy}>
          Sign in
        </button>
      </form>
      {error && (
        <div class="notice" role="alert">
          <p>
            <strong>
              {error instanceof AuthenticationError ? "There is no such key." : error.message}
            </strong>
          </p>
          <p>
            On one's own machine <code>npm run dev</code> prints a key when it starts.
          </p>
        </div>
      )}
      <p class="faint">
        The API's <a href="/docs">documentation</a> needs no key.
      </p>
    </Page>
  );
}
