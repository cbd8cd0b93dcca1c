/**
 * @file Fetching a URL that a caller names, without reaching what only this machine can reach (SSRF).
 *
 * Every hop is checked: scheme, credentials, port, literal address, and the addresses behind the name (over
 * HTTPS where the platform resolves names itself; an embedded service's network filters the connection).
 */
import { ApiError } from "../problem/api-error.ts";
import { isAddress, isPublicAddress } from "./public-address.ts";

const MAX_REDIRECTS = 5;
const TIMEOUT_MS = 30_000;
/** Names that stand for the machine or its network. */
const LOCAL_NAME = /(^|\.)(localhost|local|internal|intranet|lan|home\.arpa|localdomain)\.?$/i;
const LOOPBACK = /^(127(\.\d+){3}|\[::1\]|localhost)$/i;

export interface ImportEnvironment {
  ALLOW_LOOPBACK: string;
  DNS_OVER_HTTPS_URL: string;
}

/**
 * The response to a GET of `url`, redirects followed.
 * @throws ApiError `url_not_allowed` or `url_fetch_failed`
 */
export async function importUrl(
  url: string,
  env: ImportEnvironment,
  fetcher: typeof fetch = fetch,
): Promise<Response> {
  let target = new URL(url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    await checkTarget(target, env, fetcher);
    const response = await get(target, fetcher);
    const location = response.headers.get("Location");
    if (response.status < 300 || response.status >= 400 || location === null) {
      if (response.ok) return response;
      throw new ApiError(
        "url_fetch_failed",
        `${target.origin} answered with status ${response.status}`,
      );
    }
    await response.body?.cancel();
    if (!URL.canParse(location, target.href)) {
      throw new ApiError("url_fetch_failed", `${target.origin} redirects to what is no URL`);
    }
    target = new URL(location, target.href);
  }
  throw new ApiError("url_fetch_failed", `more than ${MAX_REDIRECTS} redirects`);
}

async function get(target: URL, fetcher: typeof fetch): Promise<Response> {
  try {
    return await fetcher(target.href, {
      redirect: "manual",
      headers: { Accept: "application/octet-stream, */*", "User-Agent": "hone" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError(
      "url_fetch_failed",
      `${target.host} does not answer, or its address is not public`,
    );
  }
}

async function checkTarget(
  target: URL,
  env: ImportEnvironment,
  fetcher: typeof fetch,
): Promise<void> {
  const refuse = (reason: string) =>
    new ApiError("url_not_allowed", `${target.protocol}//${target.host}: ${reason}`);
  if (target.protocol !== "http:" && target.protocol !== "https:")
    throw refuse("only http and https");
  if (target.username !== "" || target.password !== "") throw refuse("a URL with credentials");
  const { hostname } = target;
  if (env.ALLOW_LOOPBACK === "1" && LOOPBACK.test(hostname)) return;
  if (LOCAL_NAME.test(hostname)) throw refuse("a local name");
  if (isAddress(hostname)) {
    if (!isPublicAddress(hostname.replace(/^\[|\]$/g, ""))) throw refuse("not a public address");
    return;
  }
  if (!hostname.includes(".")) throw refuse("a local name");
  if (env.DNS_OVER_HTTPS_URL === "") return;
  for (const address of await resolve(hostname, env.DNS_OVER_HTTPS_URL, fetcher)) {
    if (!isPublicAddress(address)) throw refuse("the name has an address that is not public");
  }
}

/** All addresses of a name, by DNS over HTTPS in its JSON form. */
async function resolve(name: string, resolver: string, fetcher: typeof fetch): Promise<string[]> {
  const addresses: string[] = [];
  for (const type of ["A", "AAAA"]) {
    const response = await fetcher(`${resolver}?name=${encodeURIComponent(name)}&type=${type}`, {
      headers: { Accept: "application/dns-json" },
    });
    if (!response.ok)
      throw new ApiError("url_fetch_failed", `the name ${name} could not be resolved`);
    const { Answer = [] } = (await response.json()) as {
      Answer?: { type: number; data: string }[];
    };
    // 1 and 28 are A and AAAA; the rest are the aliases on the way.
    for (const { type: kind, data } of Answer) if (kind === 1 || kind === 28) addresses.push(data);
  }
  if (addresses.length === 0)
    throw new ApiError("url_fetch_failed", `the name ${name} has no address`);
  return addresses;
}
