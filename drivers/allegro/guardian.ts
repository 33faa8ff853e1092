/** What the driver asks of the process that makes the hand limp when this one dies. */

export interface Guardian {
  /**
   * From when this resolves the guardian has the adapter open and sends LIMP when this process dies.
   * @throws CerebellumError when there is no guardian to be had
   */
  watch(signal: AbortSignal): Promise<void>;
  /** Why nobody watches, for people; undefined while the guardian does. */
  readonly failure: string | undefined;
  /** This process works, and the hand is powered. After the first beat of a run, silence counts as death, too. */
  beat(): void;
  /** The hand is limp: silence is no trouble any more. */
  rest(): void;
  /** The adapter is gone, and comes back under the same name only when nobody holds it. */
  letGo(): void;
  /** All is in order: the guardian ends without a word on the wire. */
  dismiss(): Promise<void>;
}
