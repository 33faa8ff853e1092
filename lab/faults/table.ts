/** The fault scripts as a page for people: `README.md` beside this file, which a test keeps equal to the scripts. */
import type { NamedScript } from "./schema.js";
import { scriptPage, toldInWords } from "./scriptParts.js";

const HEAD = `# Fault scripts

Each file in \`xarm7/\` is one fault: what really happens, what is injected when, and the safe outcome that must follow.
\`npm run test:faults\` runs all of them: a real servo process, real TCP sockets, the emulated controller behind a cable on
which things go wrong, and a commander that never learns: it goes on sending, far off and under its old epoch, after its
lease is gone. \`FAULTS=name,name npm run test:faults\` runs a few. What a script may hold: \`schema.ts\`.

Checked for every script, besides what it states:
- no setpoint after streaming ended, from the emulated controller's own log (at most the three that were under way);
- the arm stands still once the outcome is reached, and again after the recovery, whatever the old commander says;
- every stream begins within 2 mrad of the arm, and its steps keep the declared velocity, acceleration and jerk;
- a latch opens only on request: enabling is refused before the reset;
- after the recovery a new lease moves the arm.

What cannot be seen: the 100 Hz report of old firmware has neither time nor counter, so there a frozen report and an arm
that stands look alike until it should move. Setpoints of a second client in servo mode show only when the arm is more
than \`servo.trackingErrorRadMax\` from ours. A cable pulled at the far side of a switch is imitated by silence in both
directions; lost SYN packets are not (a connection is taken and stays silent instead).
`;

const RECOVERIES: Readonly<Record<NamedScript["recovery"]["by"], string>> = {
  none: "goes on by itself",
  enable: "enable",
  reset: "reset, enable",
  restart: "start again",
};

const COLUMNS = [
  "script",
  "what happens",
  "while",
  "what is safe about the outcome",
  "servo",
  "told",
  "recovery",
];

/** Markdown; one row per script, in the order given. */
export const faultPage = (scripts: readonly NamedScript[]): string =>
  scriptPage(
    HEAD,
    `${scripts.length} scripts for the xArm7`,
    COLUMNS,
    scripts.map(({ name, happens, scene, outcome, recovery }) => [
      `\`${name}\``,
      happens,
      scene,
      outcome.safe,
      [...outcome.via, outcome.state].join(" → "),
      toldInWords([...outcome.faults, ...outcome.told, ...outcome.triggers], outcome.refused),
      RECOVERIES[recovery.by],
    ]),
  );
