/** The browser's own address bar, storage and requests, for pairing.ts. */
import {
  codeInHash,
  type PageAddress,
  type PairingOptions,
  type PostJson,
  proposeDeviceName,
} from "./pairing.js";

const address: PageAddress = {
  origin: location.origin,
  get hash() {
    return location.hash;
  },
  clearHash: () => history.replaceState(null, "", location.href.replace(/#.*$/, "")),
};

const post: PostJson = async (url, body) => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return response.text();
};

/** Four random letters and digits: enough to tell the headsets of a laboratory apart. */
export const randomMark = (length = 4): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => (byte % 36).toString(36)).join("");

/** An address with a code that is opened where the page is open already changes nothing but the hash. Call once. */
export function followAddress(): void {
  addEventListener("hashchange", () => {
    if (codeInHash(location.hash) !== undefined) location.reload();
  });
}

export const browserPairing = (): PairingOptions => ({
  address,
  storage: localStorage,
  post,
  deviceName: proposeDeviceName(navigator.userAgent, randomMark()),
});
