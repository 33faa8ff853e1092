/** The conditions of an emulated device that hold now, whatever they are called there. Of each there is one at most: the newest. */

export class ActiveFaults<Conditions extends object> {
  readonly #holding = new Map<
    keyof Conditions,
    { condition: Conditions[keyof Conditions]; untilMs: number }
  >();
  /** Called once whenever a condition begins or ends. */
  onChange: (name: keyof Conditions, isHolding: boolean) => void = () => {};

  /** @param untilMs when it ends by itself, `Infinity` for never */
  begin<Name extends keyof Conditions>(name: Name, condition: Conditions[Name], untilMs: number): void {
    const isNew = !this.#holding.has(name);
    this.#holding.set(name, { condition, untilMs });
    if (isNew) this.onChange(name, true);
  }

  end(name: keyof Conditions): void {
    if (this.#holding.delete(name)) this.onChange(name, false);
  }

  /** When the next condition ends by itself [ms]. */
  get nextEndMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { untilMs } of this.#holding.values()) nextMs = Math.min(nextMs, untilMs);
    return nextMs;
  }

  /** Lets time pass. */
  advance(nowMs: number): void {
    for (const [name, { untilMs }] of this.#holding) if (untilMs <= nowMs) this.end(name);
  }

  get<Name extends keyof Conditions>(name: Name): Conditions[Name] | undefined {
    return this.#holding.get(name)?.condition as Conditions[Name] | undefined;
  }

  has(name: keyof Conditions): boolean {
    return this.#holding.has(name);
  }

  /** Names of those that hold, for people. */
  get names(): (keyof Conditions)[] {
    return [...this.#holding.keys()];
  }
}
