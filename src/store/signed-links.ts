/** @file Short-lived addresses by which a runner opens a WebSocket to the rank that it computes for, once it holds the lease. */
import { signGrant, verifyGrant } from "./signature.ts";

export interface LinkGrant {
  method: "LINK";
  /** The rank's object, by name. */
  rank: string;
  task: string;
  lease: number;
  /** Who holds the lease. */
  runner: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

export async function signedLinkPath(
  secret: string,
  grant: Omit<LinkGrant, "method">,
): Promise<string> {
  const signed = await signGrant(secret, { method: "LINK", ...grant } satisfies LinkGrant);
  return `/v1/ranks/connect?grant=${signed}`;
}

/** `undefined` when it was not signed here, for something else, or has expired. */
export async function readLinkGrant(
  secret: string,
  signed: string,
): Promise<LinkGrant | undefined> {
  const grant = await verifyGrant<LinkGrant>(secret, signed);
  return grant?.method === "LINK" ? grant : undefined;
}
