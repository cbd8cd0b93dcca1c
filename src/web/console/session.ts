/** @file Who is signed in: the API key, kept in this tab alone, and the client that it opens. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { Hone } from "../../../sdk/typescript/src/index.ts";

const STORED = "hone.key";

export interface Session {
  hone: Hone;
  signOut: () => void;
}

export const SessionContext = createContext<Session | undefined>(undefined);

/** The signed-in client; only below the sign-in. */
export function useHone(): Hone {
  return useSession().hone;
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new TypeError("console: nobody is signed in here");
  return session;
}

/** The key of this tab. One in the address's fragment (`#key=…`, never sent) is taken, and the address forgets it. */
export function takeKey(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem(STORED, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(STORED) ?? undefined;
}

export function keepKey(key: string): void {
  sessionStorage.setItem(STORED, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(STORED);
}

export function clientOf(apiKey: string): Hone {
  return new Hone({ apiKey, baseUrl: location.origin });
}
