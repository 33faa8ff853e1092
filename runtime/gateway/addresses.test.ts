import { describe, expect, it } from "vitest";
import { hostPart, isLoopback, isOwnHost, isSameOrigin, originsOf, ownNames } from "./addresses.js";

const NAMES = {
  hostnames: ["localhost", "robot", "robot.local", "arm.lab.example.org"],
  addresses: ["127.0.0.1"],
};

describe("host and origin", () => {
  it.each([
    "localhost",
    "localhost:8443",
    "LOCALHOST:8443",
    "robot.local:1",
    "robot.local.:8443",
    "arm.lab.example.org",
    "192.168.1.7:8443",
    "10.0.0.1",
    "[::1]:8443",
    "[2001:db8::1]",
  ])("%s means this computer", (host) => expect(isOwnHost(host, NAMES)).toBe(true));

  it.each([
    undefined,
    "",
    "evil.example",
    "localhost.evil.example:8443",
    "evil.example:8443@localhost",
    "robot.local.evil.example",
    "robot/local",
    "localhost:8443:1",
    "localhost:999999",
    "::1",
    "[evil.example]",
    "xn--localhost-",
    "localhost\u0000",
    "0x7f.1.evil",
  ])("%j does not", (host) => expect(isOwnHost(host, NAMES)).toBe(false));

  it.each([
    [undefined, true],
    ["https://robot.local:8443", true],
    ["https://ROBOT.local:8443", true],
    ["http://robot.local:8443", false],
    ["https://robot.local", false],
    ["https://robot.local:8444", false],
    ["https://evil.example", false],
    ["https://robot.local:8443.evil.example", false],
    ["null", false],
    ["", false],
    ["file://", false],
  ])("a page of %j over TLS: %s", (origin, expected) =>
    expect(isSameOrigin(origin, "robot.local:8443", true)).toBe(expected),
  );

  it("reads the name or address out of a Host header", () => {
    expect(hostPart("[::1]:80")).toBe("::1");
    expect(hostPart("A.b:80")).toBe("a.b");
    expect(hostPart("a b")).toBeUndefined();
  });

  it.each(["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])("%s is this computer itself", (address) =>
    expect(isLoopback(address)).toBe(true),
  );
  it.each([undefined, "", "10.127.0.1", "192.168.0.1", "::ffff:10.0.0.1", "::2", "fe80::1"])(
    "%s is not",
    (address) => expect(isLoopback(address)).toBe(false),
  );
});

describe("how a gateway is reached", () => {
  it("on loopback: by this computer only, and by no address of a network", () => {
    const names = ownNames("127.0.0.1", []);
    expect(names.addresses).toEqual(["127.0.0.1", "::1"]);
    expect(originsOf("127.0.0.1", 8443, names)).toEqual(["http://localhost:8443"]);
  });

  it("on every network: by HTTPS at each address and at the .local name, from here by HTTP", () => {
    const names = {
      hostnames: ["localhost", "robot", "robot.local"],
      addresses: ["127.0.0.1", "::1", "10.1.2.3"],
    };
    expect(originsOf("0.0.0.0", 8443, names)).toEqual([
      "https://10.1.2.3:8443",
      "https://robot.local:8443",
      "http://localhost:8443",
    ]);
  });

  it("on one address: there", () => {
    expect(ownNames("10.1.2.3", ["Robot.Example.ORG"]).hostnames).toContain("robot.example.org");
    expect(ownNames("10.1.2.3", []).addresses).toEqual(["127.0.0.1", "::1", "10.1.2.3"]);
    expect(originsOf("10.1.2.3", 1, ownNames("10.1.2.3", []))).toEqual(["https://10.1.2.3:1"]);
    expect(ownNames("robot.lan", []).hostnames).toContain("robot.lan");
    expect(originsOf("2001:db8::1", 1, ownNames("2001:db8::1", []))).toEqual(["https://[2001:db8::1]:1"]);
  });

  it("never under a name that no certificate can have", () => {
    expect(ownNames("127.0.0.1", ["under_score", "-x", "ok.example", "a..b"]).hostnames).toEqual(
      expect.arrayContaining(["localhost", "ok.example"]),
    );
    for (const name of ownNames("127.0.0.1", ["under_score", "-x", "a..b", ""]).hostnames)
      expect(name).toMatch(/^[a-z0-9][a-z0-9.-]*[a-z0-9]$/);
  });
});
