/** @file A form of many fields, set off from the page: them, the button that sends it, and what was refused. */
import type { ComponentChildren } from "preact";
import { Refused } from "./problem.tsx";
import type { Action } from "./row-form.tsx";

export function CardForm({
  send,
  action,
  disabled = false,
  children,
}: {
  /** What its button says. */
  send: string;
  action: Action;
  disabled?: boolean;
  children: ComponentChildren;
}) {
  return (
    <form
      class="card"
      onSubmit={(event) => {
        event.preventDefault();
        action.run();
      }}
    >
      {children}
      <p>
        <button class="primary" type="submit" disabled={action.busy || disabled}>
          {send}
        </button>
      </p>
      <Refused error={action.error} />
    </form>
  );
}
