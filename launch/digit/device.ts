/** The parts of a servo process that drives a Digit. */
import type { DigitConfig } from "../../drivers/digit/config.js";
import { DigitDriver } from "../../drivers/digit/driver.js";
import { DigitJsonLink } from "../../drivers/digit/jsonLink.js";
import { DigitUdpLink } from "../../drivers/digit/udpLink.js";
import { zstdDecompressor } from "../../episodes/import/zstd.js";
import { digitBalance } from "../../kinematics/digit/balance.js";
import { systemClock } from "../systemClock.js";

export async function digitDevice(config: DigitConfig) {
  const { host, commandPort, observationPort, jsonPort: port, jsonSilenceMsMax: silenceMsMax } = config;
  const clock = systemClock;
  const inflate = await zstdDecompressor();
  const udp = new DigitUdpLink({ clock, host, commandPort, observationPort, inflate });
  const streamFault = () => (udp.state === "live" ? "" : udp.describeState());
  const json = new DigitJsonLink({ clock, host, port, silenceMsMax, streamFault });
  return {
    driver: new DigitDriver(config, { clock, udp, json }),
    balance: digitBalance,
    address: `digit-${host}:${commandPort}`,
  };
}
