"""The command line: `run` (the default), `pair`, `devices`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cerebellum_vive_bridge import __version__
from cerebellum_vive_bridge.bridge import Bridge, use_fine_timer
from cerebellum_vive_bridge.config import (
    ConfigError,
    Settings,
    config_path,
    load_settings,
    require,
    save_settings,
)
from cerebellum_vive_bridge.link import Link, LinkConfig, LinkRefusedError
from cerebellum_vive_bridge.pairing import pair, split_address
from cerebellum_vive_bridge.simulate import SCRIPTS, SimulatedSource
from cerebellum_vive_bridge.source import Source, SourceLostError
from cerebellum_vive_bridge.steamvr import HandChoice, SteamVrSource

EXIT_FAILED = 1
EXIT_USAGE = 2
RATE_HZ = 90.0


def say(text: str) -> None:
    """One line for people, at once also through a pipe."""
    print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "run")
    flags = _parser().parse_args(given)
    commands = {"run": _run, "pair": _pair, "devices": _devices}
    try:
        return commands[flags.command](flags)
    except (ConfigError, LinkRefusedError, ValueError) as error:
        print(f"cerebellum-vive-bridge: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (OSError, SourceLostError) as error:
        print(f"cerebellum-vive-bridge: {error}", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cerebellum-vive-bridge", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="send poses until interrupted")
    run.add_argument("--url", help="the broker, such as wss://robot.local:8443/mqtt or mqtt://robot.local:1884")
    run.add_argument("--topics", help="PREFIX/CELL, such as cerebellum/xarm7_lab")
    run.add_argument("--device", help="this bridge's name, as it was paired")
    run.add_argument("--username", help="on an external broker; the device's name when left out")
    run.add_argument("--token-file", help="file with the token of pairing, or a broker's password")
    run.add_argument("--fingerprint", help="SHA-256 of the cell's certificate")
    for hand in ("right", "left"):
        run.add_argument(f"--{hand}", metavar="SERIAL", help=f"device whose pose is the {hand} hand's")
        run.add_argument(f"--{hand}-buttons", metavar="SERIAL", help=f"device whose buttons are the {hand} hand's")
    run.add_argument("--rate", type=_rate, default=RATE_HZ, help="poses a second (default 90)")
    run.add_argument("--simulate", choices=sorted(SCRIPTS), help="scripted hand in place of SteamVR")
    run.add_argument("--heading-deg", type=float, default=0.0, help="turns the scripted hand about the vertical")
    run.add_argument("--poses", type=int, help="end after so many")
    run.add_argument("--config", type=Path, default=config_path(), help="settings file")
    pairing = commands.add_parser("pair", help="pair with a cell and keep its settings")
    pairing.add_argument("address", help='as `./cerebellum pair` prints it: "https://robot.local:8443/#pair=CODE"')
    pairing.add_argument("code", nargs="?", help="when the address has none")
    pairing.add_argument("--device", default="vive", help="name for this bridge (default vive)")
    pairing.add_argument("--fingerprint", help="that `./cerebellum pair` shows; otherwise the one found is kept")
    pairing.add_argument("--config", type=Path, default=config_path(), help="settings file")
    devices = commands.add_parser("devices", help="list what SteamVR sees, and whether it is tracked")
    devices.add_argument("--json", action="store_true")
    return parser


def _rate(text: str) -> float:
    value = float(text)
    if not 10 <= value <= 180:
        raise argparse.ArgumentTypeError("10 to 180 poses a second are possible")
    return value


def _run(flags: argparse.Namespace) -> int:
    settings = require(load_settings(vars(flags), os.environ, flags.config))
    link = Link(
        LinkConfig(
            url=str(settings.url),
            root=f"{settings.topics}/",
            device=str(settings.device),
            username=str(settings.username),
            password=settings.token,
            fingerprint=settings.fingerprint,
        ),
        say,
    )
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    bridge = Bridge(link, _source_maker(flags, settings), str(settings.device), flags.rate, say, stop)
    undo = use_fine_timer()
    _start(link, stop)
    try:
        bridge.run(flags.poses)
    finally:
        link.close()
        undo()
    counts = bridge.counts
    say(f"Ended: {counts.read} poses read, {counts.sent} sent, {counts.dropped} dropped")
    return 0


def _start(link: Link, stop: threading.Event) -> None:
    """The certificate can only be looked at while the cell runs: waits for it."""
    told = False
    while not stop.is_set():
        try:
            link.start()
            return
        except LinkRefusedError:
            raise
        except OSError as error:
            if not told:
                say(f"The cell does not answer ({error}); this is tried again")
                told = True
            stop.wait(2.0)


def _source_maker(flags: argparse.Namespace, settings: Settings) -> Any:
    def open_source() -> Source:
        if flags.simulate:
            return SimulatedSource(flags.simulate, flags.rate, flags.heading_deg)
        return SteamVrSource(
            {
                "right": HandChoice(settings.right or "", settings.right_buttons or ""),
                "left": HandChoice(settings.left or "", settings.left_buttons or ""),
            }
        )

    return open_source


def _pair(flags: argparse.Namespace) -> int:
    origin, code = split_address(flags.address, flags.code)
    settings = pair(origin, code, flags.device, flags.fingerprint)
    save_settings(settings, flags.config)
    say(f"Paired with {origin} as {settings.device}; kept in {flags.config}")
    if settings.fingerprint:
        say(f"Its certificate: SHA-256 {settings.fingerprint}. Compare it with what `./cerebellum pair` shows")
    say("Now run: cerebellum-vive-bridge")
    return 0


def _devices(flags: argparse.Namespace) -> int:
    source = SteamVrSource()
    try:
        source.read()
        time.sleep(0.1)
        source.read()
        found = [
            {"serial": one.serial, "kind": one.kind, "role": one.role, "tracking": source.tracking_text(one)}
            for one in source.devices()
        ]
    finally:
        source.close()
    if flags.json:
        say(json.dumps(found, indent=2))
    elif not found:
        say("SteamVR runs, and sees no device: switch controllers and trackers on, and pair them in SteamVR")
    for one in found if not flags.json else []:
        say(f"{one['serial']:<16} {one['kind']:<13} {one['role'] or '-':<6} {one['tracking']}")
    return 0
