/** @file The console at /: a client of the API like any other, in the page. */
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import "../style.css";
import { PageOf, SECTIONS } from "./pages.tsx";
import { to, useRoute } from "./router.ts";
import { clientOf, forgetKey, keepKey, SessionContext, takeKey } from "./session.ts";
import { SignIn } from "./sign-in.tsx";

function Console() {
  const [key, setKey] = useState(takeKey);
  const route = useRoute();
  // A link with a key in its fragment works in a console that is open, too.
  useEffect(() => {
    if (location.hash.startsWith("#key=")) setKey(takeKey());
  }, [route.segments.join("/")]);
  const session = useMemo(
    () =>
      key === undefined
        ? undefined
        : {
            hone: clientOf(key),
            signOut: () => {
              forgetKey();
              setKey(undefined);
            },
          },
    [key],
  );
  if (!session) {
    return (
      <>
        <Header current={undefined} onSignOut={undefined} />
        <SignIn
          onKey={(given) => {
            keepKey(given);
            setKey(given);
          }}
        />
      </>
    );
  }
  const [section = "compress"] = route.segments;
  return (
    <SessionContext.Provider value={session}>
      <button type="button" class="skip" onClick={() => document.querySelector("h1")?.focus()}>
        Skip to the content
      </button>
      <Header current={section} onSignOut={session.signOut} />
      <PageOf key={route.segments.join("/")} route={route} />
    </SessionContext.Provider>
  );
}

function Header({
  current,
  onSignOut,
}: {
  current: string | undefined;
  onSignOut: (() => void) | undefined;
}) {
  return (
    <header>
      <strong>Hone</strong>
      {onSignOut && (
        <nav aria-label="Console">
          {SECTIONS.map(([section, title]) => (
            <a
              key={section}
              href={to([section])}
              aria-current={section === current ? "page" : undefined}
            >
              {title}
            </a>
          ))}
        </nav>
      )}
      <span class="end">
        <a href="/docs">API</a>
        {onSignOut && (
          <button type="button" class="link" onClick={onSignOut}>
            Sign out
          </button>
        )}
      </span>
    </header>
  );
}

const root = document.getElementById("root");
if (root) {
  root.replaceChildren();
  render(<Console />, root);
}
