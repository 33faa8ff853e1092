import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { CanConfig } from "../../drivers/can/config.js";
import { openPty } from "../../test/support/ptyPair.js";
import { gatherHand } from "./hands.js";

const folder = mkdtempSync(join(tmpdir(), "doctor-hands-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ask = (path: string, isSimulated = false) =>
  gatherHand({ robot: "hand", can: CanConfig.parse({ slcan: { path } }), isSimulated });

describe("the adapter of a hand", () => {
  it("is a port that can be opened, and nothing is said against it", async () => {
    const pty = await openPty();
    try {
      expect(await ask(pty.path)).toEqual({ robot: "hand", address: pty.path, isSimulated: false });
    } finally {
      await pty.close();
    }
  });

  it.each([
    [
      "that is not there",
      (path: string) => rmSync(path, { force: true }),
      /there is no/,
      /Plug the adapter in/,
    ],
    ["that is a folder", (path: string) => void mkdirSync(path), /a folder, not a serial device/, /by-id/],
    [
      "that is a file",
      (path: string) => writeFileSync(path, ""),
      /another kind, not a serial device/,
      /by-id/,
    ],
  ])("%s", async (what, make, happened, remedy) => {
    const path = join(folder, what.replaceAll(" ", "-"));
    make(path);
    const { trouble } = await ask(path);
    expect(trouble?.happened).toMatch(happened);
    expect(trouble?.remedy).toMatch(remedy);
  });

  it.skipIf(process.getuid?.() === 0)("that this user may not open", async () => {
    const pty = await openPty();
    try {
      chmodSync(pty.path, 0o000);
      const { trouble } = await ask(pty.path);
      expect(trouble?.happened).toMatch(/may not open/);
      expect(trouble?.remedy).toMatch(/dialout/);
    } finally {
      await pty.close();
    }
  });

  it("need not be there in the lab, which replaces a link that it has left, and nothing else", async () => {
    const path = join(folder, "lab");
    expect((await ask(path, true)).trouble).toBeUndefined();
    symlinkSync("/nowhere", path);
    expect((await ask(path, true)).trouble).toBeUndefined();
    rmSync(path);
    writeFileSync(path, "mine");
    expect((await ask(path, true)).trouble?.happened).toMatch(/is there already and is no link/);
  });

  it("is an interface of the kernel that exists and is one of CAN", async () => {
    const on = (name: string) =>
      gatherHand({
        robot: "hand",
        can: CanConfig.parse({ socketcan: { interface: name } }),
        isSimulated: false,
      });
    expect((await on("nosuchcan0")).trouble?.happened).toMatch(/there is no network interface nosuchcan0/);
    expect((await on("lo")).trouble?.happened).toMatch(/lo is a network interface, but none of CAN/);
  });
});
