/** The WebSocket under the JSON interface, as the link wants it; tests bring their own. */
import { WebSocket } from "ws";
import { JSON_SUBPROTOCOL } from "./protocol/jsonMessages.js";

export interface JsonSocket {
  send(text: string): void;
  /** Without having been asked: the robot's server takes it for a sign of life, as the vendor's own client does it. */
  pong(): void;
  /** Ends it now; `onClosed` may still follow. */
  terminate(): void;
}

export interface JsonSocketEvents {
  onOpen(): void;
  onText(text: string): void;
  /** Once, also for a connection that never opened. */
  onClosed(reason: string): void;
}

export type OpenJsonSocket = (url: string, events: JsonSocketEvents) => JsonSocket;

/** No message of this interface is nearly as long. */
const MESSAGE_BYTES_MAX = 1 << 20;

export const openJsonSocket: OpenJsonSocket = (url, events) => {
  const socket = new WebSocket(url, JSON_SUBPROTOCOL, {
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  let reason = "the robot closed the connection";
  const isOpen = () => socket.readyState === WebSocket.OPEN;
  socket.on("open", () => events.onOpen());
  socket.on("message", (data: Buffer) => events.onText(data.toString("utf8")));
  // A failure is followed by a close.
  socket.on("error", (error: Error) => {
    reason = error.message;
  });
  socket.on("close", () => events.onClosed(reason));
  return {
    send: (text) => {
      if (isOpen()) socket.send(text);
    },
    pong: () => {
      if (isOpen()) socket.pong();
    },
    terminate: () => socket.terminate(),
  };
};
