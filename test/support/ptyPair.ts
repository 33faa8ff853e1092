/**
 * Pseudo-terminals for tests: a program opens one by path as if it were a serial port, and the test holds its other end
 * and may pull the plug. Python's `pty` makes them, because Node can not.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { ROOT } from "./cell.js";

type Order = "unplug" | "replug" | "pause" | "resume";

/** One terminal with its plug. */
export interface Plug {
  /** A symbolic link that is there while it is plugged in, the same after `replug`. */
  readonly path: string;
  /** Both ends are gone when it resolves: whoever has the path open is told so by the system. */
  unplug(): Promise<void>;
  /** A new terminal at the same path; bytes of the old one are lost. */
  replug(): Promise<void>;
  /** Takes nothing more of what a program writes: its buffer in the kernel fills, as with an adapter that hangs. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export interface Pty extends Plug {
  /** Text is one byte a character. */
  write(bytes: Uint8Array | string): void;
  /** All that has come so far, one character a byte. */
  readonly text: string;
  /** Forgets what has come. */
  forget(): void;
  onBytes(listener: (bytes: Uint8Array) => void): void;
  /** Resolves when what has come holds `expected`; rejects with all of it when time is up. */
  until(expected: string, withinS?: number): Promise<void>;
  close(): Promise<void>;
}

export interface PtyPair {
  /** Two terminals; what is written to one can be read from the other. */
  readonly ends: readonly [Plug, Plug];
  close(): Promise<void>;
}

/** A terminal whose other end is here. */
export async function openPty(): Promise<Pty> {
  const { child, plugs, close } = await start(["adapter"]);
  let text = "";
  const listeners: ((bytes: Uint8Array) => void)[] = [];
  child.stdout!.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    for (const listener of listeners) listener(bytes);
  });
  return {
    ...plugs[0]!,
    write: (bytes) =>
      void child.stdin!.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes),
    get text() {
      return text;
    },
    forget: () => {
      text = "";
    },
    onBytes: (listener) => void listeners.push(listener),
    until: async (expected, withinS = 20) => {
      const startMs = performance.now();
      while (!text.includes(expected)) {
        if (performance.now() - startMs > 1000 * withinS)
          throw new Error(`no ${JSON.stringify(expected)} within ${withinS} s: ${JSON.stringify(text)}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    close,
  };
}

/** Two terminals that are joined. */
export async function openPtyPair(): Promise<PtyPair> {
  const { plugs, close } = await start(["a", "b"]);
  return { ends: [plugs[0]!, plugs[1]!], close };
}

async function start(
  names: readonly string[],
): Promise<{ child: ChildProcess; plugs: readonly Plug[]; close: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-pty-"));
  const paths = names.map((name) => join(folder, name));
  const child = spawn("python3", [join(ROOT, "test/support/ptyPair.py"), ...paths], {
    stdio: ["pipe", "pipe", "inherit", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  // A helper that has ended answers nothing; whoever waits then is told so.
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  void ended.then(() => {
    for (const { reject } of waiting.splice(0)) reject(new Error("the terminal's helper has ended"));
  });
  child.stdin!.on("error", () => {});
  const orders = child.stdio[3] as Writable;
  orders.on("error", () => {});
  const answer = () => new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
  createInterface({ input: child.stdio[4] as Readable }).on("line", () => waiting.shift()?.resolve());
  await answer();
  const order = (word: Order, index: number): Promise<void> => {
    orders.write(`${word} ${index}\n`);
    return answer();
  };
  const plugs = paths.map((path, index) => ({
    path,
    unplug: () => order("unplug", index),
    replug: () => order("replug", index),
    pause: () => order("pause", index),
    resume: () => order("resume", index),
  }));
  const close = async () => {
    orders.end();
    child.stdin!.end();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { child, plugs, close };
}
