/**
 * Who controls Digit: the steps by which low-level control is taken, from the top down, and given back, from the bottom up.
 * The order is that of the public software for the robot; the robot refuses another one.
 */
import { CerebellumError, errorText } from "../../core/errors.js";
import type { OperationMode } from "./links.js";
import { ACTION_PRIVILEGE, type JsonMessage, PrivilegesFields } from "./protocol/jsonMessages.js";

/** Into which mode the robot goes when control is given back. */
export type RestMode = Extract<OperationMode, "locomotion" | "damping" | "disabled">;

/** What a step may do. */
export interface ControlLink {
  /** What keeps the UDP stream from being live, empty when nothing does. */
  streamFault(): string;
  readonly priority: number;
  /** Without waiting for an answer. */
  send(type: string, fields: Readonly<Record<string, unknown>>): void;
  /** Rejects with what the robot says, or with its silence. */
  request(type: string, fields: Readonly<Record<string, unknown>>): Promise<JsonMessage>;
  /** Resolves when the robot says that it has done it. */
  setMode(mode: OperationMode): Promise<void>;
  /** As the robot says now. */
  readMode(): Promise<OperationMode | undefined>;
  /** Asks until the mode is this one; rejects when it is not in time. */
  confirmMode(mode: OperationMode): Promise<void>;
}

export interface ControlStep {
  /** For people: what is had after this step. */
  readonly name: string;
  take(link: ControlLink): Promise<void>;
  /** Also after a `take` that failed: the robot may have done it all the same. */
  giveBack(link: ControlLink, mode: RestMode): Promise<void>;
}

export const CONTROL_STEPS: readonly ControlStep[] = [
  {
    name: "commands that move nothing reach the robot, observations come",
    async take(link) {
      const fault = link.streamFault();
      if (fault === "") return;
      throw new CerebellumError(
        "LINK_SILENT",
        `Digit's observations do not come: ${fault}`,
        "Check `host`, the cable and the firewall; the robot answers once commands reach it",
      );
    },
    // The stream goes on: its end is the driver's, and the robot falls back when it comes.
    giveBack: async () => {},
  },
  {
    name: "the privilege to change its action",
    async take(link) {
      const fields = { privilege: ACTION_PRIVILEGE, priority: link.priority };
      if (hasPrivilege(await link.request("request-privilege", fields)) === true) return;
      throw new CerebellumError(
        "DEVICE_REFUSED",
        "Digit does not give us the privilege to change its action",
        "Another client of the same or a higher priority has it: end that one, such as the tablet's, first",
      );
    },
    async giveBack(link) {
      // Whether the robot answers this is not known; what it says of privileges afterwards is.
      link.send("drop-privilege", { privilege: ACTION_PRIVILEGE });
      if (hasPrivilege(await link.request("get-privileges", {})) === true)
        throw new CerebellumError("DEVICE_REFUSED", "Digit keeps it for us", "Close the connection");
    },
  },
  {
    name: "the operation mode low-level-api",
    async take(link) {
      await link.setMode("low-level-api");
      await link.confirmMode("low-level-api");
    },
    async giveBack(link, mode) {
      const now = await link.readMode().catch(() => undefined);
      if (now !== mode) await link.setMode(mode);
    },
  },
];

/** For the vendor's own controller: who may say what it does, and nothing of motors. */
export const ACTION_STEPS: readonly ControlStep[] = [CONTROL_STEPS[1]!];

/** Modes in which a robot may be left that was found in them. */
const RESTS: readonly (OperationMode | undefined)[] = ["locomotion", "damping", "disabled"];
const isRest = (mode: OperationMode | undefined): mode is RestMode => RESTS.includes(mode);

/**
 * Takes all, or gives back what was taken and throws what the failed step said. A robot that stood by the vendor's controller
 * then goes on standing by it: the mode in which it was found is where it is left, damping when that is none to be left in.
 */
export async function takeControl(
  link: ControlLink,
  signal: AbortSignal,
  steps: readonly ControlStep[] = CONTROL_STEPS,
): Promise<void> {
  const found = await link.readMode();
  let onAbort = (): void => undefined;
  const cancelled = new Promise<never>((_, reject) => {
    onAbort = () => reject(new CerebellumError("DEVICE_REFUSED", CANCELLED, "Enable again"));
  });
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    for (const [index, step] of steps.entries())
      await Promise.race([cancelled, step.take(link)]).catch(async (thrown: unknown) => {
        await giveBack(link, isRest(found) ? found : "damping", steps.slice(0, index + 1));
        throw thrown;
      });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

const CANCELLED = "taking control of Digit was cancelled";

/** From the last step up. @returns what failed, empty when nothing did */
export async function giveBack(
  link: ControlLink,
  mode: RestMode,
  steps: readonly ControlStep[] = CONTROL_STEPS,
): Promise<string> {
  const failed: string[] = [];
  for (const step of [...steps].reverse()) {
    try {
      await step.giveBack(link, mode);
    } catch (thrown) {
      failed.push(`${step.name}: ${errorText(thrown)}`);
    }
  }
  return failed.join("; ");
}

/** Whether we have the privilege for actions; undefined where the message does not say. */
export function hasPrivilege({ fields }: JsonMessage): boolean | undefined {
  const parsed = PrivilegesFields.safeParse(fields);
  return parsed.success
    ? parsed.data.privileges.find(({ privilege }) => privilege === ACTION_PRIVILEGE)?.has
    : undefined;
}
