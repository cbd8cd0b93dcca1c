import { describe, expect, it } from "vitest";
import { importUrl } from "../../../src/import/import-url.ts";
import { isPublicAddress } from "../../../src/import/public-address.ts";
import { newWorkspace } from "./service.ts";

describe("addresses", () => {
  it.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "::127.0.0.1",
    "",
    "example.com",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.999",
    "::1::",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
  ])("%s is not public", (address) => expect(isPublicAddress(address)).toBe(false));

  it.each([
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.0.1",
    "172.32.0.1",
    "192.169.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
  ])("%s is public", (address) => expect(isPublicAddress(address)).toBe(true));
});

const local = { ALLOW_LOOPBACK: "", DNS_OVER_HTTPS_URL: "" };

/** Answers by URL; everything else is not there. */
function fetcherOf(answers: Record<string, () => Response>): {
  fetcher: typeof fetch;
  asked: string[];
} {
  const asked: string[] = [];
  const fetcher = (async (input: RequestInfo | URL) => {
    const url = input instanceof Request ? input.url : input.toString();
    asked.push(url);
    const answer = answers[url];
    if (!answer) throw new TypeError("no such host");
    return answer();
  }) as typeof fetch;
  return { fetcher, asked };
}

const redirect = (location: string) => () =>
  new Response(null, { status: 302, headers: { Location: location } });

describe("an import", () => {
  it.each([
    "ftp://example.com/m",
    "file:///etc/passwd",
    "http://user:pass@example.com/",
    "http://localhost/m",
    "http://127.0.0.1/m",
    "http://127.1/m",
    "http://0x7f000001/m",
    "http://2130706433/m",
    "http://0177.0.0.1/m",
    "http://[::1]/m",
    "http://[::ffff:127.0.0.1]/m",
    "http://169.254.169.254/latest/meta-data",
    "http://metadata.google.internal/",
    "http://printer.local/",
    "http://intranet/",
    "http://LOCALHOST./m",
    "http://10.0.0.1./m",
  ])("never asks %s", async (url) => {
    const { fetcher, asked } = fetcherOf({});
    await expect(importUrl(url, local, fetcher)).rejects.toMatchObject({ code: "url_not_allowed" });
    expect(asked).toEqual([]);
  });

  it("checks every redirect", async () => {
    const { fetcher, asked } = fetcherOf({
      "https://example.com/a": redirect("/b"),
      "https://example.com/b": redirect("http://169.254.169.254/"),
    });
    await expect(importUrl("https://example.com/a", local, fetcher)).rejects.toMatchObject({
      code: "url_not_allowed",
    });
    expect(asked).toEqual(["https://example.com/a", "https://example.com/b"]);
  });

  it("follows five redirects, not six", async () => {
    const chain = (length: number) =>
      Object.fromEntries([
        ...Array.from({ length }, (_, i) => [`https://example.com/${i}`, redirect(`/${i + 1}`)]),
        [`https://example.com/${length}`, () => new Response("bytes")],
      ]);
    const five = await importUrl("https://example.com/0", local, fetcherOf(chain(5)).fetcher);
    expect(await five.text()).toBe("bytes");
    await expect(
      importUrl("https://example.com/0", local, fetcherOf(chain(6)).fetcher),
    ).rejects.toMatchObject({
      code: "url_fetch_failed",
    });
  });

  it("resolves names first, and refuses one with any private address", async () => {
    const env = { ALLOW_LOOPBACK: "", DNS_OVER_HTTPS_URL: "https://dns.test/query" };
    const dns = (type: string, name: string) => `https://dns.test/query?name=${name}&type=${type}`;
    const answer = (entries: { type: number; data: string }[]) => () =>
      Response.json({ Answer: entries });
    const { fetcher } = fetcherOf({
      [dns("A", "good.example")]: answer([
        { type: 5, data: "x.example." },
        { type: 1, data: "8.8.8.8" },
      ]),
      [dns("AAAA", "good.example")]: answer([]),
      "https://good.example/m": () => new Response("bytes"),
      [dns("A", "evil.example")]: answer([
        { type: 1, data: "8.8.8.8" },
        { type: 1, data: "10.0.0.1" },
      ]),
      [dns("AAAA", "evil.example")]: answer([]),
      [dns("A", "six.example")]: answer([]),
      [dns("AAAA", "six.example")]: answer([{ type: 28, data: "fd00::1" }]),
      [dns("A", "none.example")]: () => Response.json({}),
      [dns("AAAA", "none.example")]: () => Response.json({}),
    });
    expect(await (await importUrl("https://good.example/m", env, fetcher)).text()).toBe("bytes");
    for (const [name, code] of [
      ["evil", "url_not_allowed"],
      ["six", "url_not_allowed"],
      ["none", "url_fetch_failed"],
    ]) {
      await expect(importUrl(`https://${name}.example/m`, env, fetcher)).rejects.toMatchObject({
        code,
      });
    }
  });

  it("says when the other side does not answer well", async () => {
    const { fetcher } = fetcherOf({
      "https://example.com/": () => new Response("", { status: 404 }),
    });
    await expect(importUrl("https://example.com/", local, fetcher)).rejects.toThrow(/status 404/);
    await expect(importUrl("https://gone.example/", local, fetcher)).rejects.toThrow(
      /does not answer/,
    );
  });

  it("reaches loopback only where that is allowed", async () => {
    const { fetcher } = fetcherOf({ "http://127.0.0.1:9000/m": () => new Response("bytes") });
    const allowed = { ...local, ALLOW_LOOPBACK: "1" };
    expect((await importUrl("http://127.0.0.1:9000/m", allowed, fetcher)).status).toBe(200);
    await expect(importUrl("http://10.0.0.1/m", allowed, fetcher)).rejects.toMatchObject({
      code: "url_not_allowed",
    });
  });
});

it("the route refuses private and broken URLs", async () => {
  const { call } = await newWorkspace();
  const private_ = await call("/v1/models", { json: { url: "http://127.0.0.1:1/model.onnx" } });
  expect(private_.json).toMatchObject({ status: 403, code: "url_not_allowed" });
  expect((await call("/v1/models", { json: { url: "not a url" } })).json).toMatchObject({
    status: 400,
  });
  expect((await call("/v1/models", { json: { uri: "https://example.com" } })).json).toMatchObject({
    status: 400,
  });
});
