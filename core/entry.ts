/**
 * Where a compiled worker or process entry lies. Node runs only JavaScript, so when the caller itself runs from
 * TypeScript source (a test), the entry of the build in `dist/` is meant.
 */

/**
 * @param relative path of the entry from the caller's folder, ending in `.js`, e.g. "./cameraWorker.js"
 * @param callerUrl the caller's `import.meta.url`
 * @param rootUrl the repository's root; only tests pass another
 */
export function entryUrl(relative: string, callerUrl: string, rootUrl = repositoryRootUrl()): URL {
  const url = new URL(relative, callerUrl);
  const distHref = new URL("dist/", rootUrl).href;
  if (url.href.startsWith(distHref)) return url;
  return new URL(distHref + url.href.slice(rootUrl.href.length));
}

/** The repository's root folder, from source and from the build alike. */
export function repositoryRootUrl(): URL {
  const up = new URL("../", import.meta.url);
  return up.href.endsWith("/dist/") ? new URL("../", up) : up;
}
