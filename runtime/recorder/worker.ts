/**
 * The recorder's thread: repairs what a crash has left, then starts, fills and ends episodes as the main thread says.
 * It ends an episode by itself rather than lie about it: full disk, failed write, a loss in a strict one, forgotten.
 */
import { join } from "node:path";
import type { MessagePort } from "node:worker_threads";
import { type Clock, sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { EpisodeSet } from "../../episodes/episodeSet.js";
import { limitsOf } from "../../episodes/quality/limits.js";
import { toFailure } from "../failure.js";
import type { ServoClient, ServoInfo } from "../servo/api.js";
import { type BeginParts, type Begun, beginEpisode, refuseWhenFull, type StartMessage } from "./begin.js";
import { Episode, IMAGES_PENDING_MAX } from "./episode.js";
import { ImageStore } from "./images.js";
import {
  type EndCause,
  type Ended,
  type FromRecorder,
  RecorderSetup,
  type Repaired,
  ToRecorder,
} from "./messages.js";
import { RingReader } from "./ring.js";
import { ServoTap } from "./servoTap.js";

export interface RecorderParts extends BeginParts {
  readonly port: MessagePort;
  readonly clock: Clock;
  readonly connect: (socketPath: string) => Promise<ServoClient>;
  /** Mends what a crash has left below the folder of sets. */
  readonly repair: (folder: string) => Promise<Repaired[]>;
}

const CHECK_MS = 250;
/** So many checks between two reports of progress. */
const PROGRESS_CHECKS = 2;
const WAIT_MS = 50;
/** Messages that are taken from the ring before sockets and timers have their turn. */
const TAKE_MAX = 32;
/** Images are kept so long for the policy's steps, which are told when the step after them has ended. */
const KEPT_S = 1.5;

/** Resolves when the thread was told to close and no episode is open. */
export async function runRecorderWorker(workerData: unknown, parts: RecorderParts): Promise<void> {
  await new RecorderSession(RecorderSetup.parse(workerData), parts).serve();
  parts.port.close();
}

/** What runs while an episode does. */
interface Running {
  readonly episode: Episode;
  readonly folder: string;
  readonly taps: readonly ServoTap[];
  /** Aborts when nothing more comes through the ring; the rest of it is still taken. */
  readonly ended: AbortController;
  readonly drained: Promise<void>;
}

class RecorderSession {
  readonly #setup: RecorderSetup;
  readonly #parts: RecorderParts;
  readonly #ring: RingReader;
  #running: Running | undefined;
  /** Requests are answered in order: a stop that comes while an episode is being started waits for it. */
  #turn: Promise<void> = Promise.resolve();
  #diskFreeBytes = 0;

  constructor(setup: RecorderSetup, parts: RecorderParts) {
    this.#setup = setup;
    this.#parts = parts;
    this.#ring = new RingReader(setup.ring);
  }

  async serve(): Promise<void> {
    const { port, repair, freeBytes } = this.#parts;
    const { folder } = this.#setup;
    const repairs = await repair(folder).catch((thrown: unknown): Repaired[] => [
      { episode: folder, ok: false, text: errorText(thrown) },
    ]);
    this.#diskFreeBytes = await freeBytes(folder).catch(() => 0);
    const closed = new Promise<void>((resolve) => {
      port.on("message", (raw: unknown) => {
        const message = ToRecorder.parse(raw);
        this.#inTurn(async () => {
          await this.#handle(message);
          if (message.kind === "close") resolve();
        });
      });
    });
    this.#post({ kind: "ready", repairs, diskFreeBytes: this.#diskFreeBytes });
    await closed;
  }

  #inTurn(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch((thrown: unknown) => {
      // A defect of our own must not pass for work that is done: it ends this thread.
      setImmediate(() => {
        throw thrown;
      });
    });
  }

  #post(message: FromRecorder): void {
    this.#parts.port.postMessage(message);
  }

  async #handle(message: ToRecorder): Promise<void> {
    const running = this.#running;
    switch (message.kind) {
      case "start":
        return this.#start(message);
      case "label":
        running?.episode.label(message.outcome, message.note);
        return;
      case "stop":
        // Without one, it has ended by itself a moment ago and said so.
        if (running !== undefined) await this.#end(running, message.because, message.detail);
        return;
      case "discard":
        if (running !== undefined) await this.#end(running, "discarded", "");
        return;
      case "labelEnded":
        return this.#labelEnded(message);
      case "close":
        if (running !== undefined) await this.#end(running, "daemonEnded", "");
    }
  }

  async #start(message: StartMessage): Promise<void> {
    try {
      this.#running = await this.#begin(message);
      const { episode, folder } = this.#running;
      const { mapping, name } = episode;
      this.#post({ kind: "started", task: message.request.task, episode: name, folder, mapping });
    } catch (thrown) {
      this.#post({ kind: "startFailed", failure: toFailure(thrown) });
    }
  }

  async #begin(message: StartMessage): Promise<Running> {
    const setup = this.#setup;
    this.#diskFreeBytes = await refuseWhenFull(setup, this.#parts.freeBytes);
    // What the main thread still wrote while the last episode ended.
    while (this.#ring.take(() => {}));
    let episode: Episode | undefined;
    const taps = Object.keys(setup.sockets).map((robot) => this.#tap(robot, () => episode));
    let begun: Begun | undefined;
    try {
      const infos = new Map<string, ServoInfo>();
      for (const { robot, tap } of taps) infos.set(robot, await tap.start());
      begun = await beginEpisode(setup, message, infos, this.#parts);
      episode = this.#newEpisode(begun, message);
    } catch (thrown) {
      await begun?.file.discard().catch(() => {});
      await Promise.all(taps.map(({ tap }) => tap.close()));
      throw thrown;
    }
    const ended = new AbortController();
    void this.#check(episode, ended.signal);
    return {
      episode,
      folder: begun.folder,
      taps: taps.map(({ tap }) => tap),
      ended,
      drained: this.#drain(episode, ended.signal),
    };
  }

  #newEpisode({ start, plan, mapping, file }: Begun, { request }: StartMessage): Episode {
    const { images, jpegQuality, policyCameras, imageTopics, inputs, episodeMsMax } = this.#setup;
    const inputOf = (camera: string) => inputs.findIndex(({ topic }) => topic === imageTopics[camera]);
    // Where nothing is lost in an image, or no policy can be computed anew, none is kept twice.
    const usedInputs = new Map(
      images !== "jpeg" || start.bundle === null
        ? []
        : policyCameras.map((camera) => [camera, inputOf(camera)] as const),
    );
    const stores = new Map<number, ImageStore>();
    for (const { input, image, topic } of plan.topics) {
      if (input === undefined || image !== "compressed" || images === "raw") continue;
      const isUsed = [...usedInputs.values()].includes(input);
      const keptMax = isUsed ? Math.ceil(KEPT_S * (topic.rateHz ?? 0)) : 0;
      stores.set(
        input,
        new ImageStore({ storage: images, jpegQuality, pendingMax: IMAGES_PENDING_MAX, keptMax }),
      );
    }
    return new Episode({
      clock: this.#parts.clock,
      mapping,
      task: request.task,
      name: start.name,
      strict: request.strict,
      msMax: episodeMsMax,
      plan,
      file,
      stores,
      policyCameras: usedInputs,
      droppedQueue: (input) => this.#ring.droppedCount(input),
      limits: limitsOf(start),
      onTrouble: (text) => this.#post({ kind: "trouble", text }),
    });
  }

  #tap(robot: string, episode: () => Episode | undefined): { robot: string; tap: ServoTap } {
    const tap = new ServoTap({
      robot,
      clock: this.#parts.clock,
      connect: () => this.#parts.connect(this.#setup.sockets[robot]!),
      onTick: (snapshot) => episode()?.takeTick(robot, snapshot),
      onEvent: (event) => episode()?.takeEvent(robot, event),
      onLost: (count) => episode()?.ticksLost(robot, count),
      onLink: (text) => episode()?.event("servoLink", text),
    });
    return { robot, tap };
  }

  async #drain(episode: Episode, ended: AbortSignal): Promise<void> {
    const take = episode.take.bind(episode);
    for (;;) {
      // Read before the ring is seen empty: what came before the end is taken.
      const isLast = ended.aborted;
      for (let taken = 0; taken < TAKE_MAX && !episode.isBusy && this.#ring.take(take); taken++);
      if (episode.isBusy) await episode.lessBusy();
      else if (!this.#ring.isEmpty) await new Promise((resolve) => setImmediate(resolve));
      else if (isLast) return;
      else await this.#ring.filled(WAIT_MS);
    }
  }

  async #check(episode: Episode, ended: AbortSignal): Promise<void> {
    const { clock, freeBytes } = this.#parts;
    const { folder, diskFreeBytesMin } = this.#setup;
    for (let count = 1; !ended.aborted; count++) {
      await sleepMs(clock, CHECK_MS, ended);
      if (ended.aborted) return;
      this.#diskFreeBytes = await freeBytes(folder).catch(() => this.#diskFreeBytes);
      if (ended.aborted) return;
      // What has been received still needs its place.
      const leftBytes = this.#diskFreeBytes - this.#ring.usedBytes - episode.backlogBytes;
      const must = episode.check(leftBytes, diskFreeBytesMin);
      if (must !== undefined) {
        this.#endByItself(episode, must.because, must.detail);
        return;
      }
      if (count % PROGRESS_CHECKS === 0)
        this.#post({
          kind: "progress",
          progress: episode.progress(),
          diskFreeBytes: this.#diskFreeBytes,
        });
    }
  }

  #endByItself(episode: Episode, because: EndCause, detail: string): void {
    this.#post({ kind: "ending", because, detail });
    this.#inTurn(async () => {
      if (this.#running?.episode === episode) await this.#end(this.#running, because, detail);
    });
  }

  async #end(running: Running, because: EndCause | "discarded", detail: string): Promise<void> {
    const { episode, taps, ended, drained, folder } = running;
    await Promise.all(taps.map((tap) => tap.close()));
    ended.abort();
    await drained;
    const isDiscarded = because === "discarded";
    let ending: Pick<Ended, "flags" | "failure"> = { flags: [] };
    try {
      if (isDiscarded) await episode.discard();
      else ending = { flags: (await episode.finish(because, detail)).flags };
    } catch (thrown) {
      ending = { flags: [], failure: toFailure(thrown) };
    }
    this.#running = undefined;
    this.#post({
      kind: "ended",
      ended: {
        ...episode.progress(),
        folder,
        because: isDiscarded ? "stopped" : because,
        detail,
        outcome: episode.outcome,
        discarded: isDiscarded,
        ...ending,
      },
    });
  }

  async #labelEnded(message: Extract<ToRecorder, { kind: "labelEnded" }>): Promise<void> {
    const { requestId, by, request } = message;
    const { task, episode, outcome, note } = request;
    try {
      const set = await EpisodeSet.open(join(this.#setup.folder, task));
      await set.label(episode, { outcome, note }, { atNs: this.#parts.clock.epochNs(), by });
      this.#post({ kind: "answer", requestId });
    } catch (thrown) {
      this.#post({ kind: "answer", requestId, failure: toFailure(thrown) });
    }
  }
}
