/** @file The frame of every page: no scripts, no other files. */
import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 6rem; }
h1 { font-size: 2rem; margin: 0 0 .5rem } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) }
h3 { margin: 2.2rem 0 .3rem; font-size: 1.05rem } h4 { margin: 1rem 0 .2rem; font-size: .85rem; opacity: .75 }
code, pre { font: .86rem/1.5 ui-monospace, monospace }
pre { overflow-x: auto; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: .4rem }
table { border-collapse: collapse; width: 100%; font-size: .92rem }
td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line) }
.method { font-weight: 700; margin-right: .5rem } nav a { margin-right: .9rem } a { color: inherit }
`;

/** A whole page; `body` is escaped already (hono/html). */
export function page(title: string, body: ReturnType<typeof html>): string {
  // Nothing in it is a promise, so the template is a string already.
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html>` as HtmlEscapedString;
}
