/** @file A form of few fields: them, the button that sends it, and what was refused. */
import type { ComponentChildren } from "preact";
import { Refused } from "./problem.tsx";

export interface Action {
  run: () => void;
  busy: boolean;
  error: Error | undefined;
}

export function RowForm({
  send,
  action,
  wide = false,
  children,
}: {
  /** What its button says. */
  send: string;
  action: Action;
  /** Fields in columns, the button below them. */
  wide?: boolean;
  children: ComponentChildren;
}) {
  const button = (
    <button class="primary" type="submit" disabled={action.busy}>
      {send}
    </button>
  );
  return (
    <>
      <form
        class={wide ? undefined : "row"}
        onSubmit={(event) => {
          event.preventDefault();
          action.run();
        }}
      >
        {wide ? <div class="fields plain">{children}</div> : children}
        {wide ? <p>{button}</p> : button}
      </form>
      <Refused error={action.error} />
    </>
  );
}
