/** Longest time for which a servo's loop leaves its device's frames unread, in the last millisecond before a tick [ms]. */
export const NAP_MS = {
  /** As long as it likes: an arm's reports are a few bytes. */
  xarm7: undefined,
  /** A hand's frames wait no longer; else the event loop waits for them. */
  allegro: 0.2,
  /** Each tick of a Digit has an observation that is hardly older. */
  digit: 0.25,
} as const;
