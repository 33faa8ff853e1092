import { describe, expect, it } from "vitest";
import {
  codeInHash,
  forgetPaired,
  openPairing,
  type PairingOptions,
  pairWithCode,
  proposeDeviceName,
  readPaired,
} from "./pairing.js";

const TAKEN = JSON.stringify({ ok: true, token: "t".repeat(43), device: "quest3-ab12", role: "operator" });

function page(hash: string, answer: string | Error = TAKEN) {
  const kept = new Map<string, string>();
  const posted: { url: string; body: string }[] = [];
  const address = { origin: "https://robot.local:8443", hash, clearHash: () => void (address.hash = "") };
  const options: PairingOptions = {
    address,
    storage: {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    },
    post: async (url, body) => {
      posted.push({ url, body });
      if (answer instanceof Error) throw answer;
      return answer;
    },
    deviceName: "quest3-ab12",
  };
  return { options, kept, posted, address };
}

describe("codeInHash", () => {
  it.each([
    ["#pair=ABCD2345", "ABCD2345"],
    ["#pair=ABCD-2345", "ABCD2345"],
    ["#x=1&pair=ABCD2345", "ABCD2345"],
    ["#pair=", undefined],
    ["#pair=<script>", undefined],
    ["", undefined],
    ["#other", undefined],
  ])("%s gives %s", (hash, code) => expect(codeInHash(hash)).toBe(code));
});

describe("openPairing", () => {
  it("changes a code for a token, keeps it, and takes the code out of the address", async () => {
    const { options, posted, address } = page("#pair=ABCD2345");
    expect(await openPairing(options)).toMatchObject({ kind: "paired", device: "quest3-ab12" });
    expect(posted).toEqual([
      {
        url: "https://robot.local:8443/api/pair",
        body: JSON.stringify({ code: "ABCD2345", name: "quest3-ab12" }),
      },
    ]);
    expect(address.hash).toBe("");
    expect(await openPairing(options)).toMatchObject({ kind: "paired", role: "operator" });
    expect(posted).toHaveLength(1);
  });

  it("takes even an unusable code out of the address, and asks nobody about it", async () => {
    const { options, posted, address } = page("#pair=%20");
    expect(await openPairing(options)).toEqual({ kind: "unpaired" });
    expect(address.hash).toBe("");
    expect(posted).toEqual([]);
  });

  it("says why a code was refused, and still knows the token of before", async () => {
    const refused = JSON.stringify({ ok: false, code: "NOT_AUTHORISED", happened: "used", remedy: "anew" });
    const { options } = page("#pair=ABCD2345", refused);
    options.storage.setItem(
      "cerebellum.pairing",
      JSON.stringify({ token: "x", device: "d-1", role: "observer" }),
    );
    expect(await openPairing(options)).toEqual({
      kind: "refused",
      refusal: { code: "NOT_AUTHORISED", happened: "used", remedy: "anew" },
    });
    expect(readPaired(options.storage)?.token).toBe("x");
  });

  it.each([
    ["nobody answers", new Error("network"), "LINK_CLOSED"],
    ["no JSON comes back", "<html>", "MESSAGE_INVALID"],
    ["a strange answer comes back", "{}", "MESSAGE_INVALID"],
  ])("%s: refused with a remedy, nothing is kept", async (_, answer, code) => {
    const { options, kept } = page("", answer);
    expect(await pairWithCode("ABCD2345", options)).toMatchObject({ kind: "refused", refusal: { code } });
    expect(kept.size).toBe(0);
  });
});

describe("what is kept", () => {
  it("is forgotten when asked", async () => {
    const { options } = page("#pair=ABCD2345");
    await openPairing(options);
    forgetPaired(options.storage);
    expect(await openPairing(options)).toEqual({ kind: "unpaired" });
  });

  it.each(["null", "{}", "no json", '{"token":5}'])("is ignored when damaged: %s", (text) => {
    const { options } = page("");
    options.storage.setItem("cerebellum.pairing", text);
    expect(readPaired(options.storage)).toBeUndefined();
  });

  it("a storage that throws costs the memory, not the pairing", async () => {
    const { options } = page("#pair=ABCD2345");
    const refuse = () => {
      throw new Error("denied");
    };
    const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
    expect(await openPairing({ ...options, storage })).toMatchObject({ kind: "paired" });
    expect(readPaired(storage)).toBeUndefined();
    expect(() => forgetPaired(storage)).not.toThrow();
  });
});

it.each([
  ["Mozilla/5.0 (X11; Linux x86_64; Quest 3) OculusBrowser/33.0 Chrome/126", "quest3-ab12"],
  ["Mozilla/5.0 (X11; Linux x86_64) Chrome/156 Safari/537", "chrome-ab12"],
  ["", "browser-ab12"],
])("names a device after its browser: %s", (agent, name) =>
  expect(proposeDeviceName(agent, "ab12")).toBe(name),
);
