/** @file Short-lived addresses of single objects: whoever holds one may read, or write, that object until it expires. */
import { signGrant, verifyGrant } from "./signature.ts";

export type BlobGrant = {
  /** The object in R2. */
  key: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
} & ({ method: "GET"; bytes: number; sha256: string } | { method: "PUT"; maxBytes: number });

/** The path of an address for `grant`. */
export async function signedPath(secret: string, grant: BlobGrant): Promise<string> {
  return `/v1/blobs/${await signGrant(secret, grant)}`;
}

/** The grant of a signed path's last part; `undefined` when it was not signed here or has expired. */
export async function readGrant(secret: string, signed: string): Promise<BlobGrant | undefined> {
  return await verifyGrant<BlobGrant>(secret, signed);
}
