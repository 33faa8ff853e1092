import { describe, expect, it } from "vitest";
import { admit, chooseProtocol, type Knock } from "./door.js";

const KNOWN: Record<string, { role: "observer" | "operator" }> = {
  seen: { role: "observer" },
  moves: { role: "operator" },
};
const authenticate = (token: string) => KNOWN[token];
const knock = (change: Partial<Knock> = {}) =>
  admit(
    {
      path: "/",
      remoteAddress: "127.0.0.1",
      origin: undefined,
      host: "localhost:8765",
      protocols: ["foxglove.websocket.v1"],
      ...change,
    },
    authenticate,
  );

describe("the Foxglove server's door", () => {
  it("lets programs, Foxglove's pages and pages of this computer in", () => {
    expect(knock()).toEqual({ ok: true });
    for (const origin of [
      "https://app.foxglove.dev",
      "https://foxglove.dev",
      "http://localhost:8080",
      "http://127.0.0.1",
      "file://",
      "null",
    ])
      expect(knock({ origin }), origin).toEqual({ ok: true });
    expect(knock({ remoteAddress: "::1", host: "[::1]:8765" })).toEqual({ ok: true });
  });

  it("refuses other pages that a browser of this computer shows", () => {
    for (const origin of [
      "https://example.org",
      "https://notfoxglove.dev",
      "https://foxglove.dev.example.org",
      "http://localhost.example.org",
      "http://127.0.0.1.example.org",
    ])
      expect(knock({ origin }), origin).toMatchObject({ ok: false, httpStatus: 403 });
    // A page whose name was pointed here after it had been loaded.
    expect(knock({ host: "evil.example.org:8765" })).toMatchObject({ ok: false, httpStatus: 403 });
    expect(knock({ host: undefined })).toMatchObject({ ok: false, httpStatus: 403 });
  });

  it("wants an observer's token from other computers, and never an operator's", () => {
    const far = { remoteAddress: "192.168.1.7", host: "robot.local:8765" };
    expect(knock(far)).toMatchObject({ ok: false, httpStatus: 401 });
    expect(knock({ ...far, path: "/wrong" })).toMatchObject({ ok: false, httpStatus: 401 });
    expect(knock({ ...far, path: `/${"x".repeat(10_000)}` })).toMatchObject({ ok: false, httpStatus: 401 });
    expect(knock({ ...far, path: "/moves" })).toMatchObject({ ok: false, httpStatus: 403 });
    expect(knock({ ...far, path: "/seen", origin: "https://studio.example.org" })).toEqual({
      ok: true,
      token: "seen",
    });
    expect(knock({ ...far, path: "/../seen" })).toMatchObject({ ok: false });
  });

  it("speaks both names of the protocol, the client's first choice, and no other", () => {
    expect(chooseProtocol(["foxglove.sdk.v1"])).toBe("foxglove.sdk.v1");
    expect(chooseProtocol(["other", "foxglove.websocket.v1", "foxglove.sdk.v1"])).toBe(
      "foxglove.websocket.v1",
    );
    expect(chooseProtocol(["mqtt"])).toBeUndefined();
    expect(knock({ protocols: [""] })).toMatchObject({ ok: false, httpStatus: 400 });
  });
});
