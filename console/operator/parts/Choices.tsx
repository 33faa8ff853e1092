/** A few alternatives side by side, one of them chosen. */

interface ChoicesProps<T extends string> {
  readonly label: string;
  readonly options: readonly (readonly [value: T, words: string])[];
  readonly chosen: T;
  readonly onChoose: (value: T) => void;
  /** Many words in little width. */
  readonly isTight?: boolean;
}

export function Choices<T extends string>({ label, options, chosen, onChoose, isTight }: ChoicesProps<T>) {
  return (
    <fieldset class={isTight === true ? "choices tight" : "choices"} aria-label={label}>
      {options.map(([value, words]) => (
        <button key={value} type="button" aria-pressed={value === chosen} onClick={() => onChoose(value)}>
          {words}
        </button>
      ))}
    </fieldset>
  );
}
