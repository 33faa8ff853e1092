/** The emulated headset over real sockets, before a real gateway. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { CERTIFICATE_FILE } from "../../runtime/gateway/certificate.js";
import { TestGateway } from "../../test/support/gateway.js";
import { until } from "../../test/support/headsetPage.js";
import { systemClock } from "../systemClock.js";
import { EmulatedHeadset } from "./emulatedHeadset.js";
import { createNodeSocket } from "./nodeSocket.js";

let gateway: TestGateway;
const worn: EmulatedHeadset[] = [];

beforeAll(async () => {
  gateway = await TestGateway.start({ gateway: { host: "0.0.0.0" } });
});
afterEach(() => {
  for (const headset of worn.splice(0)) headset.close();
});
afterAll(() => gateway?.close());

function wear(device: string, options: Partial<ConstructorParameters<typeof EmulatedHeadset>[0]> = {}) {
  const headset = new EmulatedHeadset({ clock: systemClock, device, ...options });
  worn.push(headset);
  return headset;
}
const state = () => gateway.ofKind("teleop").at(-1)?.status.state;

it("takes teleoperation, its poses are measured, and its end gives it back", async () => {
  const headset = wear("quest3-a");
  await headset.connect(gateway.origin, await gateway.token("operator", "quest3-a"));
  expect(headset.isMine).toBe(true);
  const status = await headset.untilStatus(
    ({ rateHz, latency }) => (rateHz ?? 0) > 20 && latency.transportMs !== null,
  );
  expect(status).toMatchObject({
    state: "ready",
    source: "webxr",
    device: "quest3-a",
    lost: 0,
    alignment: "none",
  });
  expect(await headset.recenter()).toBe(true);
  expect(await headset.untilStatus(({ alignment }) => alignment === "recentred")).toMatchObject({
    why: null,
  });
  headset.close();
  await until(() => state() === "off");
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it("a second operator is told who has it, and gets it by squeezing once the first has gone", async () => {
  const [first, second] = [wear("quest3-a"), wear("quest3-b")];
  await first.connect(gateway.origin, await gateway.token("operator", "quest3-a"));
  await second.connect(gateway.origin, await gateway.token("operator", "quest3-b"));
  expect(second.isMine).toBe(false);
  expect(second.session.refusal?.happened).toContain("quest3-a");
  first.close();
  await until(() => state() === "off");
  // A squeeze that comes while the first is still being let go of is told so; a person squeezes again.
  for (let squeeze = 1; !second.isMine && squeeze <= 5; squeeze++) {
    second.setButtons("right", { squeeze: 0 });
    await pause(200);
    second.setButtons("right", { squeeze: 1 });
    await until(() => second.isMine, "teleoperation for the second", 2).catch(() => {});
  }
  expect(second.isMine).toBe(true);
});

it("an observer may not take it", async () => {
  const headset = wear("quest3-c");
  await headset.connect(gateway.origin, await gateway.token("observer", "quest3-c"));
  expect(headset.isMine).toBe(false);
  expect(headset.session.refusal?.code).toBe("NOT_AUTHORISED");
});

it("a wrong token is refused in the gateway's words", async () => {
  await expect(wear("quest3-d").connect(gateway.origin, "wrong")).rejects.toMatchObject({
    code: "NOT_AUTHORISED",
  });
});

it("nobody there is said within the time that was given", async () => {
  await expect(
    wear("quest3-e").connect("http://127.0.0.1:9", "token", { timeoutMs: 300 }),
  ).rejects.toMatchObject({
    code: "LINK_CLOSED",
  });
});

it("speaks TLS to a gateway whose certificate it was given, and to no other", async () => {
  const certificate = readFileSync(join(gateway.setup.stateFolder, CERTIFICATE_FILE), "utf8");
  const origin = gateway.origin.replace("http:", "https:");
  const token = await gateway.token("operator", "quest3-f");
  const trusting = wear("quest3-f", { openSocket: createNodeSocket({ certificate }) });
  await trusting.connect(origin, token);
  expect(trusting.isMine).toBe(true);
  await expect(wear("quest3-g").connect(origin, token, { timeoutMs: 500 })).rejects.toMatchObject({
    code: "LINK_CLOSED",
  });
});
