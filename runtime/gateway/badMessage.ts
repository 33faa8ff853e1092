/** What can still be told of a message that is none. */

const isObject = (raw: unknown): raw is Record<string, unknown> => typeof raw === "object" && raw !== null;
export const kindOf = (raw: unknown): unknown => (isObject(raw) ? raw.kind : undefined);

/** Of what was meant as a request, even if it is none. */
export function requestIdOf(raw: unknown): number | undefined {
  if (!isObject(raw) || raw.kind !== "request") return undefined;
  const { id } = raw;
  return typeof id === "number" && Number.isSafeInteger(id) && id >= 0 ? id : undefined;
}

/** In few words, for whoever sent it. */
export function firstIssue(error: {
  issues: readonly { path: readonly PropertyKey[]; message: string }[];
}): string {
  const [issue] = error.issues;
  if (issue === undefined) return "unknown";
  const where = issue.path.map(String).join(".").slice(0, 80);
  return `${where === "" ? "" : `${where}: `}${issue.message.slice(0, 120)}`;
}
