/** A WebSocket for a program that acts as a page. */
import { WebSocket } from "ws";
import type { OpenSocket } from "../../console/link/pageSocket.js";

export interface NodeSocketOptions {
  /** PEM of a certificate to trust, as the gateway makes one for itself; those of the system when absent. */
  readonly certificate?: string;
}

export const createNodeSocket =
  ({ certificate }: NodeSocketOptions = {}): OpenSocket =>
  (url, events) => {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      ...(certificate !== undefined ? { ca: certificate } : {}),
    });
    socket.on("open", () => {
      events.onOpen();
    });
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) events.onBytes(new Uint8Array(data));
      else events.onText(data.toString("utf8"));
    });
    // A failure is followed by a close, which is what the page acts on.
    socket.on("error", () => {});
    socket.on("close", () => events.onClose());
    return {
      get isOpen() {
        return socket.readyState === WebSocket.OPEN;
      },
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      send: (text) => socket.send(text),
      close: () => socket.close(1000),
    };
  };
