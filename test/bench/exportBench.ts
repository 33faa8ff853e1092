/**
 * How fast exports are: `npm run bench -- export`, or `node dist/test/bench/exportBench.js [--seconds N] [--json FILE]`.
 * Makes a set of two 640x480 cameras at 30 Hz and 250 Hz of ticks, once kept as JPEG and once raw, and exports both in
 * each form. Megabytes are 10^6 bytes: of the exported frames' pixels, and of the episodes' files.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { EpisodeSet } from "../../episodes/episodeSet.js";
import { type ExportForm, exportEpisodes } from "../../episodes/export/exportEpisodes.js";
import { findFfmpeg } from "../../episodes/export/ffmpeg.js";
import { FlatForm } from "../../episodes/export/flat/flatForm.js";
import { LerobotForm } from "../../episodes/export/lerobot/lerobotForm.js";
import { select } from "../../episodes/selectEpisodes.js";
import { systemClock } from "../../launch/systemClock.js";
import { ROOT } from "../support/cell.js";
import { writeTestEpisode } from "../support/episodes/testEpisode.js";

const RATE_HZ = 30;
const { values } = parseArgs({
  options: { seconds: { type: "string", default: "20" }, json: { type: "string" } },
});
/** Raw images take ten times the memory while they are made. */
const SECONDS = { jpeg: Number(values.seconds), raw: Math.min(5, Number(values.seconds)) };

interface Figures {
  readonly stored: string;
  readonly form: string;
  readonly frames: number;
  readonly elapsedS: number;
  readonly pixelMbPerMin: number;
  readonly fileMbPerMin: number;
}

sharp.concurrency(1);
const folder = mkdtempSync(join(tmpdir(), "bench-export-"));
const results: Figures[] = [];
try {
  const ffmpeg = await findFfmpeg({ ...process.env, ...testFfmpeg() });
  for (const storage of ["jpeg", "raw"] as const) {
    const task = `${storage}-images`;
    const cameras = { cameras: ["wrist", "scene"], widthPx: 640, heightPx: 480, cameraRateHz: RATE_HZ };
    await writeTestEpisode(join(folder, task), { task, storage, seconds: SECONDS[storage], ...cameras });
    const forms: [string, ExportForm<unknown>][] = [
      ["lerobot images", new LerobotForm({ rateHz: RATE_HZ, ffmpeg: undefined })],
      ["flat", new FlatForm()],
    ];
    if (ffmpeg !== undefined) forms.unshift(["lerobot videos", new LerobotForm({ rateHz: RATE_HZ, ffmpeg })]);
    for (const [name, form] of forms) results.push(await measure(task, storage, name, form));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);

async function measure(
  task: string,
  stored: string,
  name: string,
  form: ExportForm<unknown>,
): Promise<Figures> {
  const set = await EpisodeSet.open(join(folder, task));
  const chosen = select(await set.episodes());
  const out = join(folder, "out");
  const result = await exportEpisodes([{ task, instruction: task, ...chosen }], form, {
    out,
    rateHz: RATE_HZ,
    action: "sent",
    includeFlagged: false,
    program: "bench",
    clock: systemClock,
  });
  rmSync(out, { recursive: true });
  const { frameCount, elapsedS, pixelBytes, fileBytes } = result;
  const perMin = (bytes: number) => (60 * bytes) / 1e6 / elapsedS;
  const figures = {
    stored,
    form: name,
    frames: frameCount,
    elapsedS,
    pixelMbPerMin: perMin(pixelBytes),
    fileMbPerMin: perMin(fileBytes),
  };
  console.log(
    `${stored.padEnd(5)} ${name.padEnd(15)} ${String(frameCount).padStart(4)} frames of 2 cameras in ${elapsedS.toFixed(1).padStart(5)} s: ` +
      `${figures.pixelMbPerMin.toFixed(0).padStart(6)} MB/min of pixels, ${figures.fileMbPerMin.toFixed(0).padStart(6)} MB/min of files; ` +
      `memory at most ${(process.resourceUsage().maxRSS / 1000).toFixed(0)} MB`,
  );
  return figures;
}

/** The tests' own ffmpeg, unless another one is named. */
function testFfmpeg(): { CEREBELLUM_FFMPEG?: string } {
  const python = join(ROOT, ".ros2/venv/bin/python");
  if (process.env.CEREBELLUM_FFMPEG || !existsSync(python)) return {};
  const program = "import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())";
  return { CEREBELLUM_FFMPEG: execFileSync(python, ["-c", program], { encoding: "utf8" }).trim() };
}
