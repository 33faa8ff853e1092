import { describe, expect, it } from "vitest";
import { type BrowserFacts, findObstacle } from "./environment.js";

const FACTS: BrowserFacts = {
  isSecureContext: true,
  hasXr: true,
  hasVr: true,
  hasAr: true,
  hasWebGl2: true,
  origin: "https://robot.local:8443",
};

describe("what is in the way", () => {
  it("nothing, in a headset's browser over https", () => expect(findObstacle(FACTS)).toBeUndefined());

  it("plain http over a network: says both ways out, with the address to open", () => {
    const found = findObstacle({
      ...FACTS,
      isSecureContext: false,
      hasXr: false,
      origin: "http://10.0.0.5:8443",
    });
    expect(found?.title).toMatch(/not secure/);
    expect(found?.remedies.join(" ")).toContain("https://10.0.0.5:8443/xr/");
    expect(found?.remedies.join(" ")).toContain("adb reverse tcp:8443 tcp:8443");
  });

  it.each([
    [false, /knows nothing of headsets/],
    [true, /finds none/],
  ])("no headset (WebXR there: %s)", (hasXr, text) => {
    const found = findObstacle({ ...FACTS, hasXr, hasVr: false });
    expect(found?.text).toMatch(text);
    expect(found?.remedies.join(" ")).toContain("?emulate=1");
  });

  it("no 3-D graphics", () => expect(findObstacle({ ...FACTS, hasWebGl2: false })?.title).toMatch(/3-D/));
});
