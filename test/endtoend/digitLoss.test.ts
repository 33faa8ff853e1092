/**
 * A Digit loses its servo process, its network or its JSON interface while real processes hold it up over real sockets. What
 * its motors got is told by the robot's own record, in its own time.
 */
import { afterEach, describe, expect, it } from "vitest";
import { DigitConfig } from "../../drivers/digit/config.js";
import { DigitWireReport } from "../../launch/tasks/digitTruth.js";
import { LET_GO_MS_MAX, safeEnd } from "../../launch/tasks/safeEnd.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import { freePorts } from "../support/cell.js";
import { JsonProcess, ServoRig, until } from "../support/servoRig.js";

/** Of both processes' threads, which have no priority on whatever runs this. */
const SLACK_MS = 100;

describe("a Digit that is held up by a servo process", () => {
  let robot: JsonProcess;
  let rig: ServoRig;

  async function stand(): Promise<void> {
    const [command, observation, json] = await freePorts(3);
    robot = new JsonProcess("digitEmulatorMain.js", [
      JSON.stringify({ body: "ideal", ports: { command, observation, json } }),
    ]);
    await robot.read();
    rig = new ServoRig({ command: 1, highRate: 1, normal: 1, rich: 1, realTime: 1 });
    const digit = DigitConfig.parse({
      host: "127.0.0.1",
      commandPort: command,
      observationPort: observation,
      jsonPort: json,
      frames: { linearVelocity: "world", imu: "mount" },
      observationAgeMsMax: 50,
    });
    // So far from the pose, so slowly: a hip turns, and its motor is driven, for as long as a test lasts.
    const { stand: pose } = LegServoConfig.parse({});
    const poseRad = pose.poseRad.map((rad, joint) => (joint === 1 ? rad + 0.4 : rad));
    const stand = { ...pose, poseRad, speedMaxRadPerS: 0.02 };
    const servo = LegServoConfig.parse({ stateAgeMsMax: 100, lateTicksMax: 100, stand });
    const { ready } = await rig.start({ robot: "digit", device: "digit", xarm7: undefined, digit, servo });
    expect(ready, JSON.stringify(ready)).toHaveProperty("socketPath");
    const supervisor = await rig.connectSupervisor();
    await rig.inState("connected");
    await supervisor.enable();
    await until("motors that are driven", async () => {
      const newest = (await wire()).spans.at(-1);
      return newest?.cause === "command" && newest.effect === "driven";
    });
  }
  afterEach(async () => {
    await rig?.close();
    robot?.process.kill("SIGKILL");
    await robot?.exited;
  });

  const wire = async () => DigitWireReport.parse(await robot.ask({ do: "log", records: false }));
  const isQuiet = async () => (await wire()).spans.at(-1)?.effect !== "driven";

  it("is damped by the robot itself within its time-out when the servo process is killed", async () => {
    await stand();
    rig.servo.process.kill("SIGKILL");
    await rig.servo.exited;
    await until("quiet motors", isQuiet);
    await until("its own damping", async () => (await wire()).spans.at(-1)?.cause === "damping");
    const { spans, lastCommandMs } = await wire();
    const end = safeEnd(spans, lastCommandMs!);
    expect(end.droveAgain).toBe(false);
    expect(spans.at(-1)!.fromMs - lastCommandMs!).toBeGreaterThanOrEqual(LET_GO_MS_MAX);
    expect(spans.at(-1)!.fromMs - lastCommandMs!).toBeLessThan(LET_GO_MS_MAX + SLACK_MS);
  });

  it("is damped on both sides when nothing comes through its cable any more", async () => {
    await stand();
    await robot.ask({ do: "fault", fault: { loses: { side: "both", share: 1 } } });
    await until("quiet motors", isQuiet);
    const { spans, lastCommandMs } = await wire();
    expect(safeEnd(spans, lastCommandMs!)).toMatchObject({ by: "damping", cause: "damping" });
    expect(spans.at(-1)!.fromMs - lastCommandMs!).toBeGreaterThanOrEqual(LET_GO_MS_MAX);
    expect(spans.at(-1)!.fromMs - lastCommandMs!).toBeLessThan(LET_GO_MS_MAX + SLACK_MS);
    await until("a servo that commands nothing", () => rig.supervisor.latest()?.state !== "holding");
    // Plugged in again, it is not driven by itself.
    await robot.ask({ do: "fault", fault: { ends: { what: ["loses"] } } });
    await until("observations again", () => rig.supervisor.latest()?.state !== "disconnected");
    expect(safeEnd((await wire()).spans, lastCommandMs!).droveAgain).toBe(false);
  });

  it("is damped by the servo's own commands when its JSON interface is gone", async () => {
    await stand();
    const { nowMs } = await wire();
    await robot.ask({ do: "fault", fault: { jsonCloses: {} } });
    await until("quiet motors", isQuiet);
    const { spans } = await wire();
    expect(spans.at(-1)).toMatchObject({ effect: "damping" });
    expect(safeEnd(spans, nowMs).droveAgain).toBe(false);
    await until("a servo that stands by nothing", () => rig.supervisor.latest()?.state !== "holding");
  });
});
