/** A stand-in for systemd's notification socket. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "./cell.js";

export interface NotifySocket {
  readonly address: string;
  /** What has come so far. */
  readonly messages: readonly string[];
  close(): void;
}

export async function openNotifySocket(address: string): Promise<NotifySocket> {
  const script = join(ROOT, "test/support/notifySocket.py");
  const child = spawn("python3", [script, address], { stdio: ["ignore", "pipe", "inherit"] });
  const messages: string[] = [];
  await new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "bound") resolve();
      else messages.push(line);
    });
  });
  return { address, messages, close: () => void child.kill() };
}
