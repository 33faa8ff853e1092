/** Episodes, bundles and the cell, for people. Files are read by a thread of their own. */
import { join } from "node:path";
import { CerebellumError } from "../../../core/errors.js";
import type { BundleList, CellPage } from "../../../core/gateway/library.js";
import { toFailure } from "../../failure.js";
import { type Answer, done, type GatewayPart, type HttpReply, type PartServices, refuse } from "../part.js";
import { LibraryThread } from "./thread.js";

const SHEETS = "/api/episodes/";
const SHEET_PATH = /^\/api\/episodes\/([a-z0-9][a-z0-9_-]{0,63})\/(episode-\d{6,9})\/sheet\.png$/;

export function libraryPart(services: PartServices): GatewayPart {
  const { setup, clock, serveHttp, onMain, startLibrary, reachedAt } = services;
  const thread = new LibraryThread(clock, () =>
    startLibrary({
      episodesFolder: setup.episodesFolder,
      bundleFolders: setup.bundleFolders,
      sheetsFolder: join(setup.stateFolder, "sheets"),
    }),
  );
  let loadedPolicy: string | undefined;
  onMain((message) => {
    if (message.kind === "state") loadedPolicy = message.policy?.policy;
  });
  serveHttp(SHEETS, async ({ path }): Promise<HttpReply> => {
    const [, task, episode] = SHEET_PATH.exec(path) ?? [];
    if (task === undefined || episode === undefined)
      return { status: 404, type: "text/plain; charset=utf-8", body: "There is no such picture\n" };
    try {
      const { png } = await thread.ask({ ask: "sheet", task, episode });
      return { status: 200, type: "image/png", body: png };
    } catch (thrown) {
      const isMissing = thrown instanceof CerebellumError && thrown.code === "EPISODE_INVALID";
      const { happened, remedy } = toFailure(thrown);
      return {
        status: isMissing ? 404 : 503,
        type: "text/plain; charset=utf-8",
        body: `${happened}. ${remedy}.\n`,
      };
    }
  });
  return {
    requests: {
      listEpisodes: ({ task }) =>
        answered(async () => {
          const { list } = await thread.ask({ ask: "episodes", ...(task === undefined ? {} : { task }) });
          return done(`${list.episodes.length} episodes`, list);
        }),
      listBundles: () =>
        answered(async () => {
          const { bundles } = await thread.ask({ ask: "bundles" });
          const list: BundleList = {
            bundles: bundles.map((bundle) => ({
              ...bundle,
              loaded: bundle.rateHz > 0 && bundle.name === loadedPolicy,
            })),
          };
          return done(`${bundles.length} bundles`, list);
        }),
      cell: () => {
        const { origins, fingerprint } = reachedAt();
        const page: CellPage = {
          file: setup.cellFile,
          yaml: setup.cellYaml,
          addresses: [...origins],
          certificateSha256: fingerprint,
        };
        return Promise.resolve(done(setup.cell, page));
      },
    },
    close: () => thread.close(),
  };
}

async function answered(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (thrown) {
    const { code, happened, remedy } = toFailure(thrown);
    return refuse(code, happened, remedy);
  }
}
