/** What every source of stops offers to the desk that acts on them. */

export interface SourceEvents {
  /** From here on a stop would be noticed. */
  live(): void;
  /**
   * Somebody wants everything to stop; `what` completes "e-stop: input: ...". Resolves when motion has ended, with what
   * could not be stopped and why; never rejects. A source that can tell nobody need not wait.
   */
  stop(what: string): Promise<readonly string[]>;
  /** A button is held down or has been let go. */
  held(isHeld: boolean): void;
}

export interface StopSource {
  /** A button may be wired so that it ends the source: then the end is a stop like any other, required or not. */
  readonly endIsStop?: boolean;
  /** Listens until it cannot any more or the signal; resolves with why. Never rejects. */
  listen(on: SourceEvents, signal: AbortSignal): Promise<string>;
}
