/** Whether this browser can show the headset's view, and in plain words what to do when it cannot. */

export interface BrowserFacts {
  readonly isSecureContext: boolean;
  readonly hasXr: boolean;
  readonly hasVr: boolean;
  readonly hasAr: boolean;
  readonly hasWebGl2: boolean;
  readonly origin: string;
}

export interface Obstacle {
  readonly title: string;
  readonly text: string;
  readonly remedies: readonly string[];
}

/** Undefined when nothing is in the way. */
export function findObstacle(facts: BrowserFacts): Obstacle | undefined {
  if (!facts.isSecureContext) {
    const secure = facts.origin.replace(/^http:/, "https:");
    return {
      title: "This address is not secure",
      text: "Browsers show a headset's view only to pages that came over https, or from the device itself.",
      remedies: [
        `Open ${secure}/xr/ and accept the warning about the certificate, after you have compared its fingerprint`,
        "Or connect the headset by USB, run `adb reverse tcp:8443 tcp:8443` on the robot's computer, and open http://localhost:8443/xr/",
      ],
    };
  }
  if (!facts.hasXr || !facts.hasVr) {
    return {
      title: "No headset here",
      text: facts.hasXr
        ? "This browser knows headsets (WebXR) but finds none."
        : "This browser knows nothing of headsets (WebXR).",
      remedies: [
        "Put the headset on and open this address in its own browser; on a Quest that is Meta Quest Browser",
        "On a computer the console moves the robot with keyboard, gamepad or SpaceMouse",
        "To look at this page without a headset, add ?emulate=1 to its address",
      ],
    };
  }
  if (!facts.hasWebGl2)
    return {
      title: "No 3-D graphics",
      text: "This browser has no WebGL 2, with which the view is drawn.",
      remedies: ["Update the headset's browser", "Allow hardware acceleration in the browser's settings"],
    };
  return undefined;
}

/** Asks the browser. Never rejects. */
export async function readFacts(): Promise<BrowserFacts> {
  const xr = navigator.xr;
  const has = async (mode: XRSessionMode): Promise<boolean> =>
    (await xr?.isSessionSupported(mode).catch(() => false)) ?? false;
  return {
    isSecureContext,
    hasXr: xr !== undefined,
    hasVr: await has("immersive-vr"),
    hasAr: await has("immersive-ar"),
    hasWebGl2: document.createElement("canvas").getContext("webgl2") !== null,
    origin: location.origin,
  };
}
