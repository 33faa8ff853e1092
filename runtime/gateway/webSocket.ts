/** A WebSocket of the `ws` package as the hub wants it. */
import type { WebSocket } from "ws";
import type { Hub } from "./hub.js";
import type { HubSocket } from "./hubClient.js";

/** A close reason longer than this is refused by the standard [bytes]. */
const REASON_BYTES_MAX = 123;

/** Connects a socket that was just opened to the hub, for as long as it lives. */
export function joinHub(hub: Hub, socket: WebSocket, address: string): void {
  const isOpen = () => socket.readyState === socket.OPEN;
  const face: HubSocket = {
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    sendText: (text) => {
      if (isOpen()) socket.send(text);
    },
    sendBytes: (bytes) => {
      if (isOpen()) socket.send(bytes, { binary: true });
    },
    ping: () => {
      if (isOpen()) socket.ping();
    },
    close: (code, reason) => socket.close(code, cut(reason)),
    terminate: () => socket.terminate(),
  };
  let why = "it closed the connection";
  // Before the hub may say anything: a socket without this listener ends the process by its first error.
  socket.on("error", (error: Error) => {
    why = error.message;
  });
  const connection = hub.accept(face, address);
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (isBinary) connection.binary();
    else connection.text(data.toString("utf8"));
  });
  socket.on("pong", () => connection.alive());
  socket.on("ping", () => connection.alive());
  socket.on("close", () => connection.closed(why));
}

function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_BYTES_MAX) return reason;
  // Half a character at the end would be no UTF-8.
  return bytes
    .subarray(0, REASON_BYTES_MAX)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
}
