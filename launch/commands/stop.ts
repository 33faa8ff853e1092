/** `stop`: ends motion of one cell or of all. Loads little, so that the request is on its way soon. */
import { readFileSync } from "node:fs";
import type { StopCategory } from "../../drivers/contract.js";
import { allStopped, type StoppedPart, stopDirectly } from "../estop/direct.js";
import { knownRunFolders } from "../runFolder.js";
import { systemClock } from "../systemClock.js";

export interface StopCommand {
  /** Cell file; without it every running cell that this user may reach. */
  readonly cell?: string | undefined;
  readonly category: StopCategory;
  /** Also end the daemons. */
  readonly shutdown: boolean;
}

/** Prints what each part answered. @returns the exit code: 0 only when every robot is known to have stopped */
export async function stop({ cell, category, shutdown }: StopCommand): Promise<number> {
  const runs = knownRunFolders(cell === undefined ? undefined : cellNameIn(cell));
  const parts = await stopDirectly(runs, {
    category,
    reason: "operator at the command line",
    clock: systemClock,
  });
  const running = parts.filter(({ answer }) => answer.kind !== "absent");
  if (running.length === 0) {
    console.error(
      `NOT_RUNNING: No ${cell === undefined ? "cell" : `cell of ${cell}`} runs on this computer. Start it with ./cerebellum up, or name the cell file of the running one.`,
    );
    return 1;
  }
  for (const part of running) print(part);
  const shutDown = !shutdown || (await shutDownAll(running));
  return allStopped(running) && shutDown ? 0 : 1;
}

function print({ cell, part, answer }: StoppedPart): void {
  if (answer.kind === "stopped") console.log(`${cell}, ${part}: ${answer.message}`);
  else if (answer.kind === "failed") console.error(`${cell}, ${part}: NOT STOPPED: ${answer.message}`);
}

/**
 * The cell's name without checking the rest of the file, which somebody may be editing. A file that names no cell stops
 * everything: better too much than the wrong robot going on.
 */
function cellNameIn(file: string): string | undefined {
  try {
    const name = /^name:\s*["']?([a-z][a-z0-9_]*)/m.exec(readFileSync(file, "utf8"))?.[1];
    if (name !== undefined) return name;
    console.error(`${file} names no cell: stopping every cell`);
  } catch (thrown) {
    console.error(`${file} cannot be read (${(thrown as NodeJS.ErrnoException).code}): stopping every cell`);
  }
  return undefined;
}

async function shutDownAll(parts: readonly StoppedPart[]): Promise<boolean> {
  const { askDaemon } = await import("../control/client.js");
  const asked = parts
    .filter(({ part }) => part === "daemon")
    .map(async ({ controlSocket }) => {
      try {
        console.log((await askDaemon(controlSocket, { do: "shutdown" }, systemClock)).message);
        return true;
      } catch (thrown) {
        console.error(thrown instanceof Error ? thrown.message : String(thrown));
        return false;
      }
    });
  return (await Promise.all(asked)).every(Boolean);
}
