import { beforeEach, describe, expect, it } from "vitest";
import { createDrive } from "./body.js";
import { DigitFaults } from "./digitFaults.js";
import { IdealBody } from "./idealBody.js";
import { JsonApi, type JsonSession } from "./jsonApi.js";
import { EmulatedRobot } from "./robot.js";

class Client {
  readonly heard: unknown[][] = [];
  readonly nonsense: string[] = [];
  pings = 0;
  isClosed = false;
  readonly session: JsonSession;
  #refnum = 100;

  constructor() {
    this.session = api.connect({
      send: (text) => {
        try {
          this.heard.push(JSON.parse(text) as unknown[]);
        } catch {
          this.nonsense.push(text);
        }
      },
      ping: () => this.pings++,
      close: () => {
        this.isClosed = true;
      },
    });
  }

  /** Asks, lets 30 ms pass, and answers with what came under the same number. */
  ask(type: string, fields: object = {}): unknown[][] {
    const refnum = ++this.#refnum;
    this.session.receive(JSON.stringify([type, fields, refnum]));
    run(30);
    return this.heard.filter((message) => message[2] === refnum).map(([name, value]) => [name, value]);
  }

  has(): boolean {
    const [, fields] = this.ask("get-privileges")[0] as [string, { privileges: [{ has: boolean }] }];
    return fields.privileges[0].has;
  }
}

let faults: DigitFaults;
let robot: EmulatedRobot;
let api: JsonApi;
let commands = false;

beforeEach(() => {
  faults = new DigitFaults();
  robot = new EmulatedRobot(new IdealBody(), faults, 0);
  api = new JsonApi(robot, faults);
  commands = false;
});

function run(ms: number): void {
  for (let passed = 0; passed < ms; passed++) {
    if (commands) robot.take({ ...createDrive(), fallback: 1, apply: false }, robot.nowMs);
    faults.advance(robot.nowMs);
    robot.tick();
    api.tick();
  }
}

const hold = (name: string, condition: object = {}) =>
  faults.begin(name as never, condition as never, Number.POSITIVE_INFINITY);
const wants = (priority = 0) => ({ privilege: "change-action-command", priority });
const status = (word: string, info = "") => ["action-status-changed", { status: word, info }];

describe("the emulated Digit's JSON interface", () => {
  it("answers what public client code asks, with the number of the question", () => {
    const client = new Client();
    expect(client.ask("request-privilege", wants())).toEqual([
      ["privileges", { privileges: [{ privilege: "change-action-command", has: true }] }],
    ]);
    expect(client.ask("get-robot-status")).toEqual([
      [
        "robot-status",
        { "operation-mode": "locomotion", "left-foot-in-contact": true, "right-foot-in-contact": true },
      ],
    ]);
    expect(client.ask("get-robot-info")[0]![0]).toBe("robot-info");
    expect(client.ask("get-timestamp")).toEqual([["timestamp", { "run-time": 0.09 }]]);
  });

  it("lets nobody act without the privilege", () => {
    const client = new Client();
    const [[type, fields]] = client.ask("action-set-operation-mode", { mode: "damping" }) as [
      [string, { info: string }],
    ];
    expect(type).toBe("error");
    expect(fields.info).toContain("privilege change-action-command is needed");
    expect(robot.mode).toBe("locomotion");
  });

  it("gives low-level control while commands come, and refuses it without", () => {
    const client = new Client();
    client.ask("request-privilege", wants());
    const mode = { mode: "low-level-api" };
    expect(client.ask("action-set-operation-mode", mode)).toEqual([
      status("failure", "no low-level commands are present"),
    ]);
    commands = true;
    run(5);
    expect(client.ask("action-set-operation-mode", mode)).toEqual([status("running"), status("success")]);
    expect(robot.mode).toBe("low-level-api");
    expect(client.ask("action-stand")).toEqual([status("failure", "not available in mode low-level-api")]);
  });

  const move = (...axy: number[]) => ({ velocity: { axy }, "mobility-parameters": {} });
  const statuses = (client: Client) =>
    client.heard.filter(([type]) => type === "action-status-changed").map(([, fields]) => fields);

  it("moves the robot as its own controller is told: a turn first, then forward and left", () => {
    const client = new Client();
    client.ask("request-privilege", wants());
    expect(client.ask("action-move", move(0, 0.25, -0.1))).toEqual([status("running")]);
    run(2000);
    const { linearVelocityWorldMPerS, positionWorldM } = robot.body.truth;
    expect([...linearVelocityWorldMPerS]).toEqual([0.25, -0.1, 0]);
    expect(positionWorldM[0]).toBeGreaterThan(0.4);
    expect(client.ask("action-move", move(0.5, 0, 0))).toEqual([status("running")]);
    expect(statuses(client).at(-2)).toEqual({ status: "inactive", info: "another action was asked for" });
    run(1000);
    expect(robot.body.truth.angularVelocityBaseRadPerS[2]).toBe(0.5);
    expect(client.ask("action-stand", { duration: 0.1 })).toEqual([status("running")]);
    run(100);
    expect(statuses(client).at(-1)).toEqual({ status: "success", info: "" });
    run(2000);
    expect([...linearVelocityWorldMPerS]).toEqual([0, 0, 0]);
    expect(robot.isWalking).toBe(false);
  });

  it.each([
    ["faster than it walks", move(0, 2, 0), /forwardMPerS is 2, at most 1/],
    ["a velocity of two numbers", move(0, 0.1), /axy/],
  ])("does not move for %s", (_, fields, text) => {
    const client = new Client();
    client.ask("request-privilege", wants());
    const [[, answer]] = client.ask("action-move", fields) as [[string, { info: string }]];
    expect(answer.info).toMatch(text);
    expect(robot.isWalking).toBe(false);
    const [[, pose]] = client.ask("action-stand", { "base-pose": {} }) as [[string, { info: string }]];
    expect(pose.info).toMatch(/its own pose only/);
  });

  it.each([
    ["the privilege is taken", () => api.takeAway(), "inactive"],
    ["the mode changes", () => robot.force("damping", "other"), "failure"],
  ] as const)("ends a walk when %s, and says so", (_, happen, word) => {
    const client = new Client();
    client.ask("request-privilege", wants());
    client.ask("action-move", move(0, 0.2, 0));
    run(500);
    happen();
    run(2000);
    expect(statuses(client).at(-1)).toMatchObject({ status: word });
    expect(robot.isWalking).toBe(false);
    expect([...robot.body.truth.linearVelocityWorldMPerS]).toEqual([0, 0, 0]);
  });

  it("stands when whoever made it walk is gone", () => {
    const client = new Client();
    client.ask("request-privilege", wants());
    client.ask("action-move", move(0, 0.2, 0));
    client.session.end();
    run(2000);
    expect([api.isHeld, robot.isWalking]).toEqual([false, false]);
  });

  it("keeps the privilege with whoever has the higher priority, and tells a running action that it is inactive", () => {
    const [first, second] = [new Client(), new Client()];
    commands = true;
    run(5);
    first.ask("request-privilege", wants(5));
    second.ask("request-privilege", wants(4));
    expect([first.has(), second.has()]).toEqual([true, false]);
    hold("slowsMode", { ms: 500 });
    expect(first.ask("action-set-operation-mode", { mode: "low-level-api" })).toEqual([status("running")]);
    second.ask("request-privilege", wants(6));
    expect([first.has(), second.has()]).toEqual([false, true]);
    expect(first.heard.some(([, fields]) => (fields as { status?: string }).status === "inactive")).toBe(
      true,
    );
    run(1000);
    expect(robot.mode).toBe("locomotion");
  });

  it("frees the privilege of a client that is gone or drops it", () => {
    const [first, second] = [new Client(), new Client()];
    first.ask("request-privilege", wants(5));
    first.session.end();
    second.ask("request-privilege", wants());
    expect(second.has()).toBe(true);
    second.ask("drop-privilege", wants());
    expect([second.has(), api.isHeld]).toEqual([false, false]);
  });

  it("pings half a second after the last message, and gives up who says nothing for three", () => {
    const client = new Client();
    run(499);
    expect(client.pings).toBe(0);
    run(1);
    expect(client.pings).toBe(1);
    client.session.heard();
    run(2999);
    expect([client.pings, client.isClosed]).toEqual([6, false]);
    run(5);
    expect([client.isClosed, api.sessionCount]).toEqual([true, 0]);
  });

  it("answers groups of questions again and again until they are cancelled", () => {
    const client = new Client();
    client.ask("query-group", { queries: [["get-timestamp", {}]], period: 0.05 });
    run(1000);
    const answers = client.heard.filter(([type]) => type === "query-group");
    expect(answers.length).toBe(21);
    expect(answers[1]).toEqual(["query-group", { queries: [["timestamp", { "run-time": 0.05 }]] }, 101]);
    client.ask("cancel-query", { "reference-number": 101 });
    const { length } = client.heard;
    run(500);
    expect(client.heard.length).toBe(length);
  });

  it.each([
    ["no JSON", "{"],
    ["no array", "{}"],
    ["a number for a type", "[1,{}]"],
    ["fields that are none", '["get-timestamp",1,2]'],
    ["a number that is none", '["get-timestamp",{},"1"]'],
    ["nothing", ""],
  ])("answers %s with an error and goes on", (_what, text) => {
    const client = new Client();
    client.session.receive(text);
    expect(client.heard[0]![0]).toBe("error");
    expect(api.counters.malformed).toBe(1);
    expect(client.ask("get-robot-info")[0]![0]).toBe("robot-info");
  });

  it("answers an unknown message, mode and field with an error", () => {
    const client = new Client();
    client.ask("request-privilege", wants());
    expect(client.ask("get-weather")).toEqual([["error", { info: "unknown message get-weather" }]]);
    expect(client.ask("action-set-operation-mode", { mode: "nonsense" })[0]![0]).toBe("error");
    expect(client.ask("query-group", { queries: [], period: 0 })[0]![0]).toBe("error");
  });

  it("tells everybody of a time-out", () => {
    const client = new Client();
    client.ask("request-privilege", wants());
    commands = true;
    run(5);
    client.ask("action-set-operation-mode", { mode: "low-level-api" });
    commands = false;
    run(60);
    expect(client.heard.at(-1)).toEqual(["warning", { info: "no low-level command for 50 ms: damping" }]);
  });
});

describe("what goes wrong on the JSON interface", () => {
  it("is silence", () => {
    const client = new Client();
    hold("jsonIsSilent");
    expect(client.ask("get-robot-info")).toEqual([]);
    run(5000);
    expect([client.pings, client.isClosed]).toEqual([0, false]);
  });

  it("is refusal of connections, and of modes", () => {
    hold("jsonRefuses");
    expect([api.accepts, api.counters.refused]).toEqual([false, 1]);
    faults.end("jsonRefuses");
    const client = new Client();
    client.ask("request-privilege", wants());
    hold("refusesMode", { info: "tablet says no" });
    expect(client.ask("action-set-operation-mode", { mode: "damping" })).toEqual([
      status("failure", "tablet says no"),
    ]);
  });

  it("is a stranger with a higher priority", () => {
    const client = new Client();
    client.ask("request-privilege", wants(10));
    hold("privilegeIsTaken");
    api.takeAway();
    client.ask("request-privilege", wants(10));
    expect(client.has()).toBe(false);
    faults.end("privilegeIsTaken");
    client.ask("request-privilege", wants(10));
    expect(client.has()).toBe(true);
  });

  it("is text that is no JSON, and warnings before the reply", () => {
    const client = new Client();
    hold("jsonBabbles");
    hold("jsonWarns");
    expect(client.ask("get-robot-info").map(([type]) => type)).toEqual(["warning", "robot-info"]);
    expect(client.nonsense.length).toBe(1);
  });
});
