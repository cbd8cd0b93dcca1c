/** @file Buttons that ask before, copy, or save. */
import { useState } from "preact/hooks";
import type { Model } from "../../../../sdk/typescript/src/index.ts";
import { bytes } from "../format.ts";
import { useHone } from "../session.ts";
import { useAction } from "../use-load.ts";
import { Refused } from "./problem.tsx";

/** Does what cannot be undone at the second press. */
export function ConfirmButton({
  label,
  sure,
  onConfirm,
  disabled = false,
}: {
  label: string;
  sure: string;
  onConfirm: () => void;
  disabled?: boolean;
}) {
  const [asked, setAsked] = useState(false);
  return (
    <button
      type="button"
      class={asked ? "danger" : undefined}
      disabled={disabled}
      onBlur={() => setAsked(false)}
      onClick={() => {
        setAsked(!asked);
        if (asked) onConfirm();
      }}
    >
      {asked ? sure : label}
    </button>
  );
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false);
  return (
    <button
      type="button"
      onClick={() => {
        void navigator.clipboard.writeText(text).then(() => setDone(true));
      }}
    >
      {done ? `Copied ${what}` : `Copy ${what}`}
    </button>
  );
}

/** Saves a model; its external data files come after it, each as a file of its own. */
export function DownloadButton({ model, primary = false }: { model: Model; primary?: boolean }) {
  const hone = useHone();
  const { run, busy, error } = useAction(async () => {
    save(await (await hone.models.content(model.id)).blob(), model.name);
    for (const { location } of model.external_data) {
      const content = await hone.models.content(model.id, { location });
      save(await content.blob(), location.slice(location.lastIndexOf("/") + 1));
    }
  });
  return (
    <>
      <button type="button" class={primary ? "primary" : undefined} disabled={busy} onClick={run}>
        {busy ? "Downloading…" : `Download ${model.name} (${bytes(model.bytes)})`}
      </button>
      <Refused error={error} />
    </>
  );
}

function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  // The browser reads it after this turn.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
