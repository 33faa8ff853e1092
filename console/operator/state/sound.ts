/** Short tones that tell what happened to somebody who looks at the arm. */

export type SoundName = "start" | "success" | "failure" | "unlabelled" | "discard" | "refused";

/** Frequencies [Hz], one after the other. */
const TONES: Readonly<Record<SoundName, readonly number[]>> = {
  start: [660, 880],
  success: [660, 880, 1320],
  failure: [520, 350],
  unlabelled: [520],
  discard: [350, 260],
  refused: [200, 200],
};
const TONE_S = 0.11;
const LOUDNESS = 0.12;
const STORAGE_KEY = "cerebellum.silent";

let context: AudioContext | undefined;
let isSilent = readSilent();

export const soundIsSilent = (): boolean => isSilent;

export function setSilent(silent: boolean): void {
  isSilent = silent;
  try {
    localStorage.setItem(STORAGE_KEY, silent ? "1" : "");
  } catch {
    // Kept until the page is left.
  }
}

/** Browsers allow sound after the first click or key only; before that this is quiet. */
export function playSound(name: SoundName): void {
  if (isSilent || !("AudioContext" in globalThis)) return;
  context ??= new AudioContext();
  const audio = context;
  void audio.resume();
  for (const [index, frequencyHz] of TONES[name].entries()) {
    const startS = audio.currentTime + index * TONE_S;
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    tone.frequency.value = frequencyHz;
    gain.gain.setValueAtTime(LOUDNESS, startS);
    gain.gain.exponentialRampToValueAtTime(0.001, startS + TONE_S);
    tone.connect(gain).connect(audio.destination);
    tone.start(startS);
    tone.stop(startS + TONE_S);
  }
}

function readSilent(): boolean {
  try {
    return localStorage.getItem(STORAGE_KEY) === "1";
  } catch {
    return false;
  }
}
