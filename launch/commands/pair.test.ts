import { describe, expect, it } from "vitest";
import { describePairing } from "./pair.js";

const pairing = (urls: string[], fingerprint: string | null = null) => ({
  code: "ABCDEFGH",
  role: "operator" as const,
  expiresEpochMs: 0,
  urls,
  fingerprint,
});

describe("pair", () => {
  it("shows a QR code of the headset's page, every address, and the fingerprint to compare", () => {
    const [qr, ...lines] = describePairing(
      pairing(["https://10.1.2.3:8443/#pair=ABCDEFGH", "http://localhost:8443/#pair=ABCDEFGH"], "AA:BB"),
    );
    expect(qr).toMatch(/^[█▀▄ \n]+$/);
    const text = lines.join("\n");
    expect(text).toContain("headset  https://10.1.2.3:8443/xr/#pair=ABCDEFGH");
    expect(text).toContain("console  http://localhost:8443/#pair=ABCDEFGH");
    expect(text).toContain("AA:BB");
    expect(text).toContain("as operator");
  });

  it("says how other devices get in when only this computer is answered", () => {
    const text = describePairing(pairing(["http://localhost:8443/#pair=ABCDEFGH"])).join("\n");
    expect(text).toMatch(/adb reverse/);
    expect(text).toMatch(/gateway\.host/);
  });
});
