/** Digit's JSON interface without a network, for trials in simulated time: the link's own socket, spoken to in memory. */
import type { JsonSocket, OpenJsonSocket } from "../../drivers/digit/jsonSocket.js";
import type { JsonApi } from "../../lab/digit/jsonApi.js";

/** Texts arrive in a turn of their own, as a network's do, and in order. */
export function directJson(api: JsonApi): OpenJsonSocket {
  return (_url, events) => {
    let isOver = false;
    const later = (deliver: () => void) =>
      queueMicrotask(() => {
        if (!isOver) deliver();
      });
    const close = (reason: string) => {
      if (isOver) return;
      isOver = true;
      queueMicrotask(() => events.onClosed(reason));
    };
    if (!api.accepts) {
      close("connection refused");
      return NO_SOCKET;
    }
    const session = api.connect({
      send: (text) => later(() => events.onText(text)),
      ping: () => later(() => session.heard()),
      close: () => close("the robot closed the connection"),
    });
    later(() => events.onOpen());
    return {
      send: (text) => later(() => session.receive(text)),
      pong: () => later(() => session.heard()),
      terminate: () => {
        if (isOver) return;
        isOver = true;
        session.end();
      },
    };
  };
}

const NO_SOCKET: JsonSocket = { send: () => {}, pong: () => {}, terminate: () => {} };
