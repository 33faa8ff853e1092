/** Where the servo writes down what it does, for the question why the arm stopped. */
import type { ServoEvent } from "./api.js";
import type { MutableSnapshot } from "./snapshot.js";

/** Ages at a tick [ms], NaN where there is no such input. One object, written in place. */
export interface InputAges {
  /** The device's joint state. */
  stateMs: number;
  /** The command that is pursued, since its stamp. */
  commandMs: number;
  /** The oldest input that this command was made from. */
  inputMs: number;
  /** Since a supervisor was heard. */
  supervisorMs: number;
  /** Since the lease holder was heard. */
  commanderMs: number;
}

export interface BlackBox {
  /** Called in every tick: must not allocate (so read `Ms`, not `Ns`), wait or throw. */
  tick(snapshot: MutableSnapshot, ages: InputAges): void;
  event(event: ServoEvent): void;
  /** Why it cannot write, with found, expected and remedy; the servo stops while this is set. */
  readonly failure: string | undefined;
}
