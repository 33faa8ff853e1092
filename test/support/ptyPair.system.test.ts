/** The helper itself: bytes pass unchanged, plugs can be pulled. */
import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { afterEach, expect, it } from "vitest";
import { openPty, openPtyPair } from "./ptyPair.js";

const O_RDWR_NOCTTY_NONBLOCK = 0o2 | 0o400 | 0o4000;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path, O_RDWR_NOCTTY_NONBLOCK);
  closers.push(() => file.close());
  return file;
}

async function read(file: FileHandle, count: number): Promise<string> {
  let text = "";
  while (text.length < count) {
    const { bytesRead, buffer } = await file
      .read(Buffer.alloc(4096))
      .catch((thrown: NodeJS.ErrnoException) => {
        if (thrown.code !== "EAGAIN") throw thrown;
        return { bytesRead: 0, buffer: Buffer.alloc(0) };
      });
    text += buffer.subarray(0, bytesRead).toString("latin1");
    if (bytesRead === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return text;
}

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, value) => value));

it("every byte passes unchanged, both ways", async () => {
  const pty = await openPty();
  closers.push(() => pty.close());
  const file = await openFile(pty.path);
  await file.write(EVERY_BYTE);
  await pty.until(EVERY_BYTE.toString("latin1"));
  pty.write(EVERY_BYTE);
  expect(await read(file, 256)).toBe(EVERY_BYTE.toString("latin1"));
});

it("an unplugged terminal is gone for who has it open, and a new one comes at the same path", async () => {
  const pty = await openPty();
  closers.push(() => pty.close());
  const old = await openFile(pty.path);
  await pty.unplug();
  expect(existsSync(pty.path)).toBe(false);
  await expect(old.write("late")).rejects.toMatchObject({ code: "EIO" });
  await pty.replug();
  const file = await openFile(pty.path);
  await file.write("back");
  await pty.until("back");
});

it("a paused terminal takes nothing until its buffer is full, and gives it all when resumed", async () => {
  const pty = await openPty();
  closers.push(() => pty.close());
  const file = await openFile(pty.path);
  await pty.pause();
  let taken = 0;
  await expect(
    (async () => {
      for (;;) taken += (await file.write("x".repeat(1000))).bytesWritten;
    })(),
  ).rejects.toMatchObject({ code: "EAGAIN" });
  expect(taken).toBeGreaterThan(0);
  expect(pty.text).toBe("");
  await pty.resume();
  await pty.until("x".repeat(taken));
});

it("joined terminals carry what is written from one to the other", async () => {
  const pair = await openPtyPair();
  closers.push(() => pair.close());
  const [a, b] = [await openFile(pair.ends[0].path), await openFile(pair.ends[1].path)];
  await a.write("t1000\r");
  expect(await read(b, 6)).toBe("t1000\r");
  await b.write("z\r");
  expect(await read(a, 2)).toBe("z\r");
});
