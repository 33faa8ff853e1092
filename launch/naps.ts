/** Longest time for which a servo's loop leaves its device's frames unread, in the last millisecond before a tick [ms]. */
export const NAP_MS = {
  /** As long as it likes: an arm's reports are a few bytes. */
  xarm7: undefined,
  /** A hand's frames wait no longer; else the event loop waits for them. */
  allegro: 0.2,
  /** A command acts when it is read, between ticks, too: at 50 Hz the policy's own millisecond is most of its way. */
  digit: 0.1,
} as const;
