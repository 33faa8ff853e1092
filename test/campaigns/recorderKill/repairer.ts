/** Repairs a set in a process of its own and dies before a certain call to the disk: `node repairer.js SET CALL`. */
import { repairSet } from "../../../episodes/repair.js";
import { systemClock } from "../../../launch/systemClock.js";
import { watchedIo } from "./watchedIo.js";

const [, , set, call] = process.argv;
let calls = 0;
await repairSet(set!, {
  clock: systemClock,
  io: watchedIo({
    before: () => {
      if (++calls < Number(call)) return undefined;
      process.kill(process.pid, "SIGKILL");
      return new Promise(() => {});
    },
  }),
});
