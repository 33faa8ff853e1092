/** A peer that asks for a WebSocket, is refused, and never closes its own side of the connection. */
import { connect } from "node:net";

/** Resolves when the server has given the whole connection up, not only its own side of it. */
export function givenUp(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const pushing = { timer: undefined as NodeJS.Timeout | undefined };
    const late = setTimeout(() => {
      socket.destroy();
      reject(new Error("the server still keeps the other side of a connection that it has refused"));
    }, 3000);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
    );
    socket.resume();
    // A connection that is gone answers what still comes with a reset.
    socket.once("end", () => {
      pushing.timer = setInterval(() => socket.write("x"), 20);
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      clearInterval(pushing.timer);
      clearTimeout(late);
      resolve();
    });
  });
}
