/** The library's thread: reads files for the gateway's clients, so that no disk and no drawing holds the gateway up. */
import type { MessagePort } from "node:worker_threads";
import { toFailure } from "../../failure.js";
import { BundleLibrary } from "./bundles.js";
import { EpisodeLibrary } from "./episodes.js";
import {
  type FromLibrary,
  type LibraryAnswer,
  type LibraryQuestion,
  LibrarySetup,
  ToLibrary,
} from "./messages.js";

/** Answers one question after the other, until its thread is ended. */
export function runLibraryWorker(workerData: unknown, port: MessagePort): void {
  const answer = answerer(LibrarySetup.parse(workerData));
  let work: Promise<void> = Promise.resolve();
  port.on("message", (raw: unknown) => {
    const { id, question } = ToLibrary.parse(raw);
    work = work.then(async () => {
      port.postMessage({ id, answer: await answer(question) } satisfies FromLibrary);
    });
  });
}

export function answerer(setup: LibrarySetup): (question: LibraryQuestion) => Promise<LibraryAnswer> {
  const episodes = new EpisodeLibrary(setup.episodesFolder, setup.sheetsFolder);
  const bundles = new BundleLibrary(setup.bundleFolders);
  return async (question) => {
    try {
      switch (question.ask) {
        case "episodes":
          return { kind: "episodes", list: await episodes.list(question.task) };
        case "bundles":
          return { kind: "bundles", bundles: await bundles.list() };
        case "sheet":
          return { kind: "sheet", png: await episodes.sheet(question.task, question.episode) };
      }
    } catch (thrown) {
      return { kind: "failure", failure: toFailure(thrown) };
    }
  };
}
