/** What stops a recording, in words: found, expected, and what to do about it. */
import { dirname } from "node:path";
import { CerebellumError, errorText } from "../../core/errors.js";
import { ACTIVE_SUFFIX } from "../format.js";
import { codeOf } from "./io.js";

interface Words {
  readonly found: string;
  /** @param folder of the episode */
  readonly remedy: (folder: string) => string;
}

const permission = (folder: string) => `Give this user write access to ${dirname(folder)}`;
const space = (folder: string) => `Free space on the disk of ${dirname(folder)}`;

/** By the system's code. */
const WORDS: Readonly<Record<string, Words>> = {
  ENOSPC: { found: "the disk is full", remedy: space },
  EDQUOT: { found: "this user's quota on the disk is used up", remedy: space },
  EFBIG: { found: "the file is larger than its file system allows", remedy: space },
  EIO: {
    found: "the disk answers with an error",
    remedy: (folder) => `Look for disk errors with \`dmesg\`, move ${dirname(folder)} to a sound disk`,
  },
  EROFS: {
    found: "the file system is read-only",
    remedy: (folder) => `Mount the disk of ${dirname(folder)} for writing`,
  },
  EACCES: { found: "this user may not write there", remedy: permission },
  EPERM: { found: "this user may not write there", remedy: permission },
  EEXIST: {
    found: "it, or a part of it, is there already, and nothing is ever replaced",
    remedy: (folder) =>
      `Take the next free number; if ${folder}${ACTIVE_SUFFIX} is left from a crash, \`./cerebellum episodes repair\` finishes it`,
  },
  ENOTEMPTY: {
    found: "a folder of its name is there already, and nothing is ever replaced",
    remedy: (folder) => `Move ${folder} away`,
  },
  ENOTDIR: {
    found: "a part of its path is no folder",
    remedy: (folder) =>
      `Look at each part of ${dirname(folder)}, and name a folder for recordings in the cell file`,
  },
  EMFILE: {
    found: "this process has too many open files",
    remedy: () => `Raise its limit of open files (\`ulimit -n\`)`,
  },
};

/** What became impossible, and what to do once the cause is gone. */
const AFTER = {
  "cannot be begun": "then record again",
  "cannot be written": "then `./cerebellum episodes repair` keeps what was written",
  "cannot be finished": "then `./cerebellum episodes repair` finishes it",
  "cannot be discarded": "then remove what is left of it",
  "cannot be repaired": "then repair it again",
} as const;

export function recordingFailed(folder: string, what: keyof typeof AFTER, cause: unknown): CerebellumError {
  if (cause instanceof CerebellumError) return cause;
  const words = WORDS[codeOf(cause)];
  const remedy = words?.remedy(folder) ?? `Look at ${dirname(folder)}, its permissions and its free space`;
  return new CerebellumError(
    "RECORDING_FAILED",
    `Episode ${folder} ${what}: ${words === undefined ? errorText(cause) : `${words.found} (${errorText(cause)})`}`,
    `${remedy}, ${AFTER[what]}`,
    cause,
  );
}
