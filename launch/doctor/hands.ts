/** What a cell with hands needs: an adapter that this user may open, and the guardian that switches a hand off. */
import { lstat, readFile } from "node:fs/promises";
import { CerebellumError } from "../../core/errors.js";
import type { CanConfig } from "../../drivers/can/config.js";
import { checkDevice } from "../../drivers/can/serialLine.js";
import { loadSocketCan } from "../../drivers/can/socketCanPackage.js";
import type { Check } from "./checks.js";
import type { HandFacts } from "./facts.js";

export interface HandQuestion {
  readonly robot: string;
  readonly can: CanConfig;
  /** The lab makes its adapter. */
  readonly isSimulated: boolean;
}

type Trouble = HandFacts["trouble"];

/** Of network interfaces in /sys: CAN (if_arp.h). */
const CAN_INTERFACE_TYPE = "280";

export async function gatherHand({ robot, can, isSimulated }: HandQuestion): Promise<HandFacts> {
  const { slcan, socketcan } = can;
  const address = slcan?.path ?? socketcan?.interface ?? "";
  const look = slcan !== undefined ? serialTrouble(address, isSimulated) : interfaceTrouble(address);
  const trouble = await look;
  return { robot, address, isSimulated, ...(trouble === undefined ? {} : { trouble }) };
}

async function serialTrouble(path: string, isSimulated: boolean): Promise<Trouble> {
  // The lab puts a link there, and replaces one that it has left.
  if (isSimulated) return inTheWay(path);
  return troubleOf(() => checkDevice(path));
}

async function inTheWay(path: string): Promise<Trouble> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || found.isSymbolicLink()) return undefined;
  return {
    happened: `${path}, where the lab makes the emulated adapter, is there already and is no link`,
    remedy: "Name another path in the cell file; for a real hand remove its `lab` section",
  };
}

async function interfaceTrouble(name: string): Promise<Trouble> {
  const folder = `/sys/class/net/${name}`;
  const type = await readFile(`${folder}/type`, "utf8").catch(() => undefined);
  if (type === undefined)
    return {
      happened: `there is no network interface ${name}`,
      remedy:
        "Plug the adapter in and look for its name with ip -details link; correct `interface` in the cell file",
    };
  if (type.trim() !== CAN_INTERFACE_TYPE)
    return {
      happened: `${name} is a network interface, but none of CAN`,
      remedy: "Set `interface` in the cell file to the adapter's; ip -details link shows them",
    };
  const state = await readFile(`${folder}/operstate`, "utf8").catch(() => "unknown");
  if (state.trim() === "down")
    return {
      happened: `${name} is down`,
      remedy: `Set it up: sudo ip link set ${name} up type can bitrate 1000000 restart-ms 100`,
    };
  return troubleOf(loadSocketCan);
}

async function troubleOf(look: () => Promise<unknown>): Promise<Trouble> {
  try {
    await look();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof CerebellumError) return { happened: thrown.happened, remedy: thrown.remedy };
    throw thrown;
  }
}

export const HAND_CHECKS: readonly Check[] = [
  {
    name: "Adapters of hands",
    expected: "each there, a CAN adapter, and open to this user",
    remedy: "Plug the adapter in, or correct its path in the cell file",
    judge: ({ hands }) => {
      if (hands.length === 0) return { level: "ok", found: "this cell has no hand" };
      const troubled = hands.flatMap(({ robot, trouble }) =>
        trouble === undefined ? [] : [{ robot, ...trouble }],
      );
      if (troubled.length === 0) {
        const words = hands.map(
          ({ robot, address, isSimulated }) =>
            `${robot} at ${address}${isSimulated ? ", made by the lab" : ""}`,
        );
        return { level: "ok", found: words.join("; ") };
      }
      return {
        level: "missing",
        found: troubled.map(({ robot, happened }) => `${robot}: ${happened}`).join("; "),
        remedy: [...new Set(troubled.map(({ remedy }) => remedy))].join("; "),
      };
    },
  },
  {
    name: "Guardian of hands",
    expected: "built",
    remedy: "Run ./cerebellum prepare: without a guardian no hand is switched on",
    judge: ({ hands, guardianBuilt }) => {
      if (hands.length === 0) return { level: "ok", found: "this cell has no hand" };
      return { level: guardianBuilt ? "ok" : "missing", found: guardianBuilt ? "built" : "not built" };
    },
  },
];
