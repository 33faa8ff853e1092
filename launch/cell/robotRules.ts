/** What must hold between the robots of a cell, their mounts and their cameras; each problem with its place in the file. */
import { normalize } from "node:path";
import { LEGGED_DEVICES } from "../../policies/history/bodies.js";
import { type CameraConfig, type PolicyConfig, policyRobots } from "../../runtime/policy/config.js";
import { CAMERA_FRAMES } from "./frames.js";
import { armsOf, digitsOf, handsOf, hasGripper, type RobotConfig } from "./robotConfig.js";

interface Checked {
  readonly robots: Readonly<Record<string, RobotConfig>>;
  readonly cameras: Readonly<Record<string, CameraConfig>>;
  readonly policy?: PolicyConfig | undefined;
}

export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export function robotProblems(cell: Checked): Problem[] {
  return [
    ...unknownNames(cell),
    ...mountProblems(cell),
    ...cameraProblems(cell),
    ...sharedAddresses(cell),
    ...workspaceProblems(cell),
  ];
}

const unknown = (path: Problem["path"], kind: string, name: string, names: readonly string[]): Problem[] =>
  names.includes(name)
    ? []
    : [{ path, message: `names ${kind} "${name}"; this cell has: ${names.join(", ") || "none"}` }];

function unknownNames({ robots, cameras, policy }: Checked): Problem[] {
  const names = Object.keys(robots);
  const led = policy === undefined ? [] : policyRobots(policy);
  return [
    ...(names.length === 0 ? [{ path: ["robots"], message: "needs at least one robot" }] : []),
    ...Object.entries(cameras).flatMap(([name, { mount }]) =>
      unknown(["cameras", name, "mount", "robot"], "robot", mount.robot, names),
    ),
    ...led.flatMap((robot) => unknown(["policy", "robot"], "robot", robot, names)),
    ...(new Set(led).size === led.length
      ? []
      : [{ path: ["policy", "robot"], message: "names a robot twice" }]),
    ...(policy === undefined ? [] : policyCameraProblems(policy, robots, cameras)),
  ];
}

function policyCameraProblems(
  policy: PolicyConfig,
  robots: Checked["robots"],
  cameras: Checked["cameras"],
): Problem[] {
  if (policy.camera !== undefined)
    return unknown(["policy", "camera"], "camera", policy.camera, Object.keys(cameras));
  const seeing = policyRobots(policy).find(
    (name) => !(LEGGED_DEVICES as readonly string[]).includes(robots[name]?.device ?? ""),
  );
  if (seeing === undefined) return [];
  return [{ path: ["policy", "camera"], message: `is missing: a policy that moves ${seeing} sees pictures` }];
}

function mountProblems({ robots }: Checked): Problem[] {
  const arms = new Map(armsOf(robots));
  const carried = new Map<string, string>();
  return handsOf(robots).flatMap(([name, { mount }]): Problem[] => {
    if (mount.robot === undefined) return [];
    const path = ["robots", name, "mount", "robot"];
    const arm = arms.get(mount.robot);
    if (arm === undefined) return unknown(path, "arm", mount.robot, [...arms.keys()]);
    const other = carried.get(mount.robot);
    carried.set(mount.robot, name);
    if (other !== undefined) return [{ path, message: `${mount.robot} carries ${other} already` }];
    if (!hasGripper(arm)) return [];
    return [{ path, message: `${mount.robot} has a gripper on its flange; set its xarm7.gripper to none` }];
  });
}

function cameraProblems({ robots, cameras }: Checked): Problem[] {
  return Object.entries(cameras).flatMap(([name, { mount }]): Problem[] => {
    const robot = robots[mount.robot];
    if (robot === undefined || CAMERA_FRAMES[robot.device].includes(mount.parentFrame)) return [];
    const frames = CAMERA_FRAMES[robot.device].join(" and a ");
    const message = `is ${mount.parentFrame}, but ${mount.robot} (${robot.device}) has a ${frames}`;
    return [{ path: ["cameras", name, "mount", "parentFrame"], message }];
  });
}

/** Two robots behind one address: an arm's or a Digit's port, a hand's adapter. */
function sharedAddresses({ robots }: Checked): Problem[] {
  const taken = new Map<string, string>();
  const take = (path: Problem["path"], what: string, address: string, by: string): Problem[] => {
    const other = taken.get(address);
    taken.set(address, by);
    return other === undefined ? [] : [{ path, message: `${what} ${address} is already used by ${other}` }];
  };
  return [
    ...armsOf(robots).flatMap(
      ([
        name,
        {
          xarm7: { host, commandPort, reportPorts },
        },
      ]) =>
        [["commandPort", commandPort] as const, ...Object.entries(reportPorts)].flatMap(([what, port]) =>
          take(["robots", name, "xarm7"], what, `${host}:${port}`, `${name}.${what}`),
        ),
    ),
    ...handsOf(robots).flatMap(
      ([
        name,
        {
          allegro: { can },
        },
      ]) => {
        const path = ["robots", name, "allegro", "can"];
        const { slcan, socketcan } = can;
        if (slcan !== undefined)
          return take([...path, "slcan", "path"], "adapter", normalize(slcan.path), name);
        return take([...path, "socketcan", "interface"], "interface", socketcan?.interface ?? "", name);
      },
    ),
    ...digitsOf(robots).flatMap(([name, { digit }]) => {
      const path = ["robots", name, "digit"];
      const { host, commandPort, jsonPort, observationPort } = digit;
      return [
        ...take(path, "commandPort", `${host}:${commandPort}/udp`, `${name}.commandPort`),
        ...take(path, "jsonPort", `${host}:${jsonPort}`, `${name}.jsonPort`),
        ...take(path, "observationPort", `this computer:${observationPort}/udp`, `${name}.observationPort`),
      ];
    }),
  ];
}

function workspaceProblems({ robots }: Checked): Problem[] {
  return Object.entries(robots).flatMap(([name, robot]): Problem[] => {
    // A robot on legs has the ground for a workspace.
    if (robot.device === "digit") return [];
    const { servo } = robot;
    const { minM, maxM } = servo.workspace;
    if (minM.every((low, axis) => low < maxM[axis]!)) return [];
    const message = `minM ${JSON.stringify(minM)} must lie below maxM ${JSON.stringify(maxM)} on every axis`;
    return [{ path: ["robots", name, "servo", "workspace"], message }];
  });
}
