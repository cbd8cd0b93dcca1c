import { expect, it } from "vitest";
import { call, newWorkspace } from "./service.ts";

const env = { CORS_ORIGINS: "https://app.example, https://other.example" };
const preflight = (origin: string) => ({
  method: "OPTIONS",
  headers: {
    Origin: origin,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, idempotency-key",
  },
});

it("a preflight from a listed origin is answered without a key", async () => {
  const answer = await call("/v1/models", { ...preflight("https://other.example"), env });
  expect(answer.status).toBe(204);
  expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("https://other.example");
  expect(answer.headers.get("Access-Control-Allow-Headers")).toContain("authorization");
  expect(answer.headers.get("Access-Control-Allow-Methods")).toContain("DELETE");
  expect(answer.headers.get("Access-Control-Max-Age")).toBe("86400");
  expect(answer.headers.get("Vary")).toContain("Origin");
});

it("other origins, and all where none is listed, get no permission", async () => {
  const { key } = await newWorkspace();
  const other = await call("/v1/models", { ...preflight("https://evil.example"), env });
  expect(other.status).toBe(401);
  expect(other.headers.get("Access-Control-Allow-Origin")).toBeNull();
  expect((await call("/v1/models", preflight("https://app.example"))).status).toBe(401);
  const headers = { Origin: "https://evil.example", Authorization: `Bearer ${key}` };
  const read = await call("/v1/models", { headers, env });
  expect(read.status).toBe(200);
  expect(read.headers.get("Access-Control-Allow-Origin")).toBeNull();
});

it("answers and refusals to a listed origin may be read, with the headers that clients need", async () => {
  const { key } = await newWorkspace();
  for (const authorization of [`Bearer ${key}`, "Bearer wrong"]) {
    const headers = { Origin: "https://app.example", Authorization: authorization };
    const answer = await call("/v1/models", { headers, env });
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example");
    const exposed = answer.headers.get("Access-Control-Expose-Headers") ?? "";
    for (const name of ["ETag", "Link", "Location", "Hone-Report", "Request-Id", "RateLimit"])
      expect(exposed.split(",")).toContain(name);
  }
});

it("a star lists every origin", async () => {
  const answer = await call("/v1/models", {
    ...preflight("https://any.example"),
    env: { CORS_ORIGINS: "*" },
  });
  expect([answer.status, answer.headers.get("Access-Control-Allow-Origin")]).toEqual([204, "*"]);
});

it("a well-formed X-Request-Id names the request; others are replaced", async () => {
  const { call: ask } = await newWorkspace();
  const given = "0b1c8f3e-5f6f-4b7a-9a55-2f5c1f0f7a11";
  const answer = await ask("/v1/models/none", { headers: { "X-Request-Id": given } });
  expect([answer.json.request_id, answer.headers.get("Request-Id")]).toEqual([given, given]);
  for (const bad of ["short", 'a "quoted" one', "x".repeat(129)]) {
    const { headers } = await ask("/v1/models/none", { headers: { "X-Request-Id": bad } });
    expect(headers.get("Request-Id")).toMatch(/^req_/);
  }
});
