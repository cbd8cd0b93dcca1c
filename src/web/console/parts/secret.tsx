/** @file What is shown once: a secret that nobody can ask for again, and what goes with it. */
import type { ComponentChildren } from "preact";
import { CopyButton } from "./buttons.tsx";

export function Secret({
  secret,
  what,
  children,
}: {
  secret: string | undefined;
  /** `the key` */
  what: string;
  children?: ComponentChildren;
}) {
  return (
    <div aria-live="polite">
      {secret && (
        <div class="card">
          <p>
            <strong>Shown only now:</strong>
          </p>
          <pre tabIndex={0} aria-label={`The new secret, ${what}`} data-testid="secret">
            {secret}
          </pre>
          <CopyButton text={secret} what={what} />
          {children}
        </div>
      )}
    </div>
  );
}
