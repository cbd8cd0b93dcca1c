/**
 * @file Which IP addresses are on the public internet: an import must not reach the network it runs in.
 * Sources: the IANA special-purpose address registries (RFC 6890 and its updates).
 */

/** [first address, prefix length] */
const SPECIAL_V4: readonly [string, number][] = [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // carrier-grade NAT
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local, the clouds' metadata services
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // 6to4 relays
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, broadcast
];

/** The four bytes of a dotted IPv4 address, `undefined` for anything else. */
function parseV4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255))
    return undefined;
  return parts.map(Number);
}

/** The eight groups of an IPv6 address (RFC 4291 §2.2), `undefined` for anything else. */
function parseV6(text: string): number[] | undefined {
  let address = text.split("%")[0] ?? "";
  const dotted = /(?<=:)[\d.]+$/.exec(address)?.[0];
  if (dotted?.includes(".")) {
    const v4 = parseV4(dotted);
    if (!v4) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = v4;
    address = `${address.slice(0, -dotted.length)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = address.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const [head = [], tail = []] = groups;
  const zeros = 8 - head.length - tail.length;
  if (halves.length === 1 ? zeros !== 0 : zeros < 1) return undefined;
  const all = [...head, ...Array<string>(zeros).fill("0"), ...tail];
  if (all.some((group) => !/^[\da-f]{1,4}$/i.test(group))) return undefined;
  return all.map((group) => Number.parseInt(group, 16));
}

function v4IsPublic(bytes: readonly number[]): boolean {
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return !SPECIAL_V4.some(([first, length]) => {
    const start = (parseV4(first) ?? []).reduce((sum, byte) => sum * 256 + byte, 0);
    return value >= start && value < start + 2 ** (32 - length);
  });
}

function v6IsPublic(groups: readonly number[]): boolean {
  const [g0 = 0, g1 = 0, g2 = 0, , , g5 = 0, g6 = 0, g7 = 0] = groups;
  const embedded = (high: number, low: number) =>
    v4IsPublic([high >> 8, high & 255, low >> 8, low & 255]);
  const zeroTo = (end: number) => groups.slice(0, end).every((group) => group === 0);
  if (zeroTo(5) && (g5 === 0xffff || g5 === 0)) return g5 === 0xffff && embedded(g6, g7); // mapped; ::, ::1, compatible
  if (zeroTo(4) && groups[4] === 0xffff) return embedded(g6, g7); // translated
  if (g0 === 0x64 && g1 === 0xff9b) return g2 === 0 && embedded(g6, g7); // NAT64
  if (g0 === 0x2002) return embedded(g1, g2); // 6to4
  if (g0 === 0x2001 && g1 < 0x200) return false; // protocol assignments, Teredo
  if (g0 === 0x2001 && g1 === 0xdb8) return false; // documentation
  if (g0 === 0x3fff && g1 < 0x1000) return false; // documentation
  // Global unicast is 2000::/3; unique local, link-local, site-local and multicast are outside of it.
  return g0 >= 0x2000 && g0 < 0x4000;
}

/** True for an address of the public internet; false also for what is no address. */
export function isPublicAddress(text: string): boolean {
  const v4 = parseV4(text);
  if (v4) return v4IsPublic(v4);
  const v6 = parseV6(text);
  return v6 !== undefined && v6IsPublic(v6);
}

/** True when a URL's hostname is an address (the URL parser has made odd spellings like 0x7f.1 plain). */
export function isAddress(hostname: string): boolean {
  return parseV4(hostname) !== undefined || hostname.startsWith("[");
}
