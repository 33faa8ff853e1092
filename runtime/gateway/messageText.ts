/** A message as it goes over a WebSocket, serialised once however many clients get it. */
import type { ServerMessage } from "../../core/gateway/server.js";

const texts = new WeakMap<ServerMessage, string>();

/** @param message must not change any more */
export function messageText(message: ServerMessage): string {
  let text = texts.get(message);
  if (text === undefined) {
    text = JSON.stringify(message);
    texts.set(message, text);
  }
  return text;
}
