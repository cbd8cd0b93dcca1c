/**
 * @file Fetching a URL that a caller names, without reaching what only this machine can reach (SSRF).
 *
 * Every hop is checked: scheme, credentials, port, literal address, and the addresses behind the name (over
 * HTTPS where the platform resolves names itself; an embedded service's network filters the connection).
 */
import { ApiError } from "../problem/api-error.ts";
import { checkPublicUrl, type NetworkEnvironment } from "./public-url.ts";

const MAX_REDIRECTS = 5;
const TIMEOUT_MS = 30_000;
/**
 * The response to a GET of `url`, redirects followed.
 * @throws ApiError `url_not_allowed` or `url_fetch_failed`
 */
export async function importUrl(
  url: string,
  env: NetworkEnvironment,
  fetcher: typeof fetch = fetch,
): Promise<Response> {
  let target = new URL(url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    await checkPublicUrl(target, env, fetcher);
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
