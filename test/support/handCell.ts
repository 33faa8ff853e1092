/** A cell whose hand is emulated in a process of its own, as it would be behind any other adapter. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { askDaemon } from "../../launch/control/client.js";
import { runFolder } from "../../launch/runFolder.js";
import { systemClock } from "../../launch/systemClock.js";
import { JsonProcess, keepOwnTime, until } from "./servoRig.js";

export interface HandStatus {
  readonly isOn: boolean;
  /** When the hand heard LIMP; undefined while something came after it. */
  readonly limp: unknown;
  readonly positionRad: readonly number[];
  readonly counters: Readonly<Record<string, number>>;
}

export class EmulatedHand {
  readonly #process: JsonProcess;

  private constructor(process: JsonProcess) {
    this.#process = process;
  }

  /** @param options of `allegroEmulatorMain` */
  static async start(path: string, options: Record<string, unknown> = {}): Promise<EmulatedHand> {
    const process = new JsonProcess("allegroEmulatorMain.js", [
      JSON.stringify({ path, plant: "ideal", ...options }),
    ]);
    await process.read();
    keepOwnTime(process);
    return new EmulatedHand(process);
  }

  ask = (message: Record<string, unknown>) => this.#process.ask(message);
  status = async () => (await this.ask({ do: "status" })) as unknown as HandStatus;

  /** Zero torque, off, streams off, in this order, and nothing after it. */
  isLimp = (withinMs?: number) =>
    until("a limp hand", async () => isLimpAndOff(await this.status()), withinMs);

  async close(): Promise<void> {
    this.#process.process.kill("SIGKILL");
    await this.#process.exited;
  }
}

export const isLimpAndOff = ({ isOn, limp }: HandStatus): boolean => !isOn && limp !== undefined;

export interface HandCellDraft {
  name: string;
  robots: Record<string, Record<string, unknown>>;
  [section: string]: unknown;
}

/** Of a hand's section: slow and wide, so that a loaded machine does not decide whether a test passes. */
export const wideHand = (path: string, allegro: Record<string, unknown> = {}) => ({
  device: "allegro",
  allegro: {
    can: { slcan: { path } },
    model: "v4",
    side: "right",
    periodMs: 20,
    stallMsMax: 200,
    silentPeriodsMax: 10,
    ...allegro,
  },
  servo: { rateHz: 100, lateTicksMax: 100, stateAgeMsMax: 1000 },
});

let cells = 0;

/** Writes a cell with one hand behind `path`, changed by `change`; returns the file and its name. */
export function writeHandCell(
  folder: string,
  path: string,
  change: (cell: HandCellDraft) => void = () => {},
): { readonly file: string; readonly name: string } {
  const cell: HandCellDraft = {
    schema: "cerebellum/cell@1",
    name: `hand_${process.pid}_${++cells}`,
    robots: { hand: wideHand(path) },
    recorder: { folder: join(folder, "recordings"), diskFreeMiBMin: 100 },
  };
  change(cell);
  const file = join(folder, `${cell.name}.yaml`);
  writeFileSync(file, stringify(cell));
  return { file, name: cell.name };
}

/** State of each robot of a cell that runs, in the order of its file. */
export async function robotStates(cellName: string): Promise<readonly string[]> {
  const { status } = await askDaemon(runFolder(cellName).controlSocket, { do: "status" }, systemClock);
  const { items } = status as unknown as { items: { name: string; values: Record<string, unknown> }[] };
  return items.filter(({ name }) => name.startsWith("servo: ")).map(({ values }) => String(values.state));
}

/** Enables all robots, as a person leads them on: whatever one of them has come to, others get no reset unasked. */
export async function enableAgain(cellName: string): Promise<void> {
  const isTaken = (verb: "reset" | "enable") =>
    askDaemon(runFolder(cellName).controlSocket, { do: verb }, systemClock, 30_000).then(
      () => true,
      () => false,
    );
  await until("enabled", async () => {
    if (await isTaken("enable")) return true;
    await isTaken("reset");
    return false;
  });
}

/**
 * Before a test. A computer that stands still for longer than any limit of a hand faults it, rightly, and that is no
 * matter of the tests that follow.
 */
export async function enableIfLatched(cellName: string): Promise<void> {
  const states = await robotStates(cellName);
  if (states.includes("faulted") || states.includes("stopped")) await enableAgain(cellName);
}
