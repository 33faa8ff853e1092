/** The browser's own address bar, storage and requests, for pairing.ts. */
import { type PageAddress, type PairingOptions, type PostJson, proposeDeviceName } from "./pairing.js";

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

export const browserPairing = (): PairingOptions => ({
  address,
  storage: localStorage,
  post,
  deviceName: proposeDeviceName(navigator.userAgent, randomMark()),
});
