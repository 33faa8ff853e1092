/** `pair`: a code for one more client of the gateway, as addresses to type and as a QR code to look at. */
import { renderUnicodeCompact } from "uqr";
import { Pairing, type Pairing as PairingType } from "../../core/gateway/library.js";
import type { Role } from "../../core/gateway/requests.js";
import { loadCell } from "../cell/load.js";
import { askDaemon } from "../control/client.js";
import { runFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";

export interface PairOptions {
  readonly cell: string;
  readonly role: Role;
  readonly json?: string;
}

/** @throws CerebellumError NOT_RUNNING when no daemon of this cell runs, or it has no gateway */
export async function pair({ cell, role, json }: PairOptions): Promise<void> {
  const { controlSocket } = runFolder(loadCell(cell).name);
  const { status } = await askDaemon(controlSocket, { do: "pair", role }, systemClock);
  const pairing = Pairing.parse(status);
  const print = printer(json);
  for (const line of describePairing(pairing)) print(line);
  writeJson(json, pairing);
}

/** The first address is the one that other devices reach best; localhost comes last. */
export function describePairing({ code, role, urls, fingerprint }: PairingType): string[] {
  const [best = ""] = urls;
  const isLocal = best.startsWith("http://localhost:");
  return [
    renderUnicodeCompact(headsetUrl(best), { border: 2 }),
    `code ${code}: good once, for 5 minutes, as ${role}`,
    ...urls.map((url) => `console  ${url}`),
    `headset  ${headsetUrl(best)}   (the QR code)`,
    ...(isLocal
      ? [
          "only this computer is answered, and a headset on its cable (adb reverse); gateway.host opens it to a network",
        ]
      : [
          "the browser does not know this certificate: compare its SHA-256 fingerprint, then go on",
          `  ${fingerprint ?? "none"}`,
        ]),
  ];
}

/** The same address on the headset's page. */
const headsetUrl = (url: string): string => url.replace("/#", "/xr/#");
