/** @file A page: its heading takes the focus when the page is reached by a link, so that a screen reader says where one is. */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

/** The page that the console was opened with leaves the focus where the browser puts it. */
let first = true;

export function Page({
  title,
  kicker,
  children,
}: {
  title: string;
  kicker?: ComponentChildren;
  children: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Before anybody can press a key on the new page.
  useLayoutEffect(() => {
    if (!first) {
      heading.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first = false;
  }, []);
  useEffect(() => {
    document.title = `${title} · Hone`;
  }, [title]);
  return (
    <main id="main">
      {kicker && <p class="kicker">{kicker}</p>}
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </main>
  );
}
