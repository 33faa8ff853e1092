/** python-can, written by other people from the same documents: it must understand us, and we it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../launch/systemClock.js";
import { ROOT } from "../../test/support/cell.js";
import { openPty, openPtyPair } from "../../test/support/ptyPair.js";
import type { CanFrame } from "./frame.js";
import { type SlcanCommand, SlcanCommandReader, slcanText } from "./slcan.js";
import { openSlcanBus } from "./slcanBus.js";

const probe = spawnSync("python3", ["-c", "import can, serial; print(can.__version__)"], {
  encoding: "utf8",
});
const version = probe.stdout.trim();
const reason = probe.status === 0 ? undefined : "Python has no can and serial: run launch/setup/prepare.sh";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A frame as text that can be compared and sent to the peer. */
const jsonOf = ({ id, isExtended, isRemote, length, data }: CanFrame): string =>
  JSON.stringify({ id, isExtended, isRemote, length, data: Buffer.from(data).toString("hex") });

/** Frames of every kind and length. */
const FRAMES: readonly CanFrame[] = Array.from({ length: 36 }, (_, index) => {
  const length = index % 9;
  const isRemote = index % 4 >= 2;
  const isExtended = index % 2 === 1;
  return {
    id: isExtended ? 0x1fff_ffff - 4_567 * index : (0x7ff - 53 * index) & 0x7ff,
    isExtended,
    isRemote,
    length,
    data: isRemote ? new Uint8Array() : Uint8Array.from({ length }, (_, at) => (index * 37 + at * 101) & 255),
  };
});

class Peer {
  readonly heard: string[] = [];
  readonly #child: ChildProcess;
  readonly ready: Promise<void>;
  readonly ended: Promise<unknown>;

  constructor(path: string) {
    this.#child = spawn("python3", [join(ROOT, "test/support/canPeer.py"), path], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.ready = new Promise((resolve, reject) => {
      void this.ended.then((code) => reject(new Error(`the peer ended with ${code}`)));
      createInterface({ input: this.#child.stdout! }).on("line", (line) => {
        if (line === "ready") resolve();
        else this.heard.push(jsonOf(parse(line)));
      });
    });
    closers.push(() => this.end());
  }

  send(frames: readonly CanFrame[]): void {
    this.#child.stdin!.write(frames.map((frame) => `${jsonOf(frame)}\n`).join(""));
  }

  end(): Promise<unknown> {
    this.#child.stdin!.end();
    return this.ended;
  }
}

function parse(line: string): CanFrame {
  const frame = JSON.parse(line) as Omit<CanFrame, "data"> & { readonly data: string };
  return { ...frame, data: Uint8Array.from(Buffer.from(frame.data, "hex")) };
}

async function until(isTrue: () => boolean, what: () => string): Promise<void> {
  for (let turn = 0; !isTrue(); turn++) {
    if (turn > 4000) throw new Error(what());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.skipIf(reason !== undefined && !process.env.CI)(`python-can ${reason ?? version}`, () => {
  it("and our bus exchange frames of every kind, both ways at once", async () => {
    const pair = await openPtyPair();
    closers.push(() => pair.close());
    const peer = new Peer(pair.ends[1].path);
    const heard: string[] = [];
    const open = openSlcanBus({
      path: pair.ends[0].path,
      baudRate: 1_000_000,
      bitrate: 1_000_000,
      clock: systemClock,
    });
    await peer.ready;
    const bus = await open(
      { onFrame: (frame) => void heard.push(jsonOf(frame)), onState: () => {} },
      new AbortController().signal,
    );
    closers.push(() => bus.close());
    const rounds = 20;
    for (let round = 0; round < rounds; round++) {
      peer.send(FRAMES);
      for (let from = 0; from < FRAMES.length; from += 4) {
        const piece = FRAMES.slice(from, from + 4);
        await until(
          () => bus.write(piece),
          () => "the line stays behind",
        );
      }
    }
    const expected = Array.from({ length: rounds }, () => FRAMES.map(jsonOf)).flat();
    await until(
      () => heard.length >= expected.length && peer.heard.length >= expected.length,
      () => `heard ${heard.length} and ${peer.heard.length} of ${expected.length}`,
    );
    expect(heard).toEqual(expected);
    expect(peer.heard).toEqual(expected);
    expect(bus.statistics()).toMatchObject({ framesReceived: expected.length, errors: 0 });
  });

  it("takes our adapter's side for an adapter, with and without answers and time stamps", async () => {
    const pty = await openPty();
    closers.push(() => pty.close());
    const commands: SlcanCommand[] = [];
    const heard: string[] = [];
    const reader = new SlcanCommandReader((command) => {
      if (command.kind !== "frame") commands.push(command);
      else {
        heard.push(jsonOf(command.frame));
        pty.write(command.frame.isExtended ? "Z\r" : "z\r");
      }
    });
    pty.onBytes((bytes) => reader.push(bytes));
    const peer = new Peer(pty.path);
    await peer.ready;
    await until(
      () => commands.filter(({ kind }) => kind === "open").length === 2,
      () => JSON.stringify(commands),
    );
    expect(commands.map((command) => (command.kind === "bitrate" ? command.bitPerS : command.kind))).toEqual([
      "close",
      1_000_000,
      "empty",
      "open",
      "open",
    ]);
    peer.send(FRAMES);
    pty.write(FRAMES.map((frame) => slcanText(frame)).join(""));
    pty.write(FRAMES.map((frame, index) => slcanText(frame, index * 1000)).join("\x07"));
    const expected = FRAMES.map(jsonOf);
    await until(
      () => heard.length >= expected.length && peer.heard.length >= 2 * expected.length,
      () => `heard ${heard.length} and ${peer.heard.length}`,
    );
    expect(heard).toEqual(expected);
    expect(peer.heard).toEqual([...expected, ...expected]);
    await peer.end();
    expect(commands.at(-1)).toEqual({ kind: "close" });
  });
});
