/**
 * @file May a URL that a caller names be called? Only what is on the public internet may (SSRF): an import must not
 * read, and a webhook must not reach, what only this machine or its network can.
 *
 * Scheme, credentials, literal address and the addresses behind the name are checked (over HTTPS where the platform
 * resolves names itself; an embedded service's network filters the connection as well).
 */
import { ApiError } from "../problem/api-error.ts";
import { isAddress, isPublicAddress } from "./public-address.ts";

/** Names that stand for the machine or its network. */
const LOCAL_NAME = /(^|\.)(localhost|local|internal|intranet|lan|home\.arpa|localdomain)\.?$/i;
const LOOPBACK = /^(127(\.\d+){3}|\[::1\]|localhost)$/i;

export interface NetworkEnvironment {
  ALLOW_LOOPBACK: string;
  DNS_OVER_HTTPS_URL: string;
}

/** @throws ApiError `url_not_allowed`, or `url_fetch_failed` for a name that does not resolve */
export async function checkPublicUrl(
  target: URL,
  env: NetworkEnvironment,
  fetcher: typeof fetch = fetch,
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
