"""python-can against the emulated Allegro Hand: an SLCAN client and a codec that share nothing with ours.

Argument: path of the port. Says what it checked, one JSON object a line.
"""

import json
import struct
import sys
import time

import can

RADIANS_PER_COUNT = 333.3 / 65536 * 3.141592653589793 / 180
ON, OFF, PERIOD, INFO, SERIAL = 0x100, 0x104, 0x204, 0x200, 0x220
POSES = (0x080, 0x084, 0x088, 0x08C)
TORQUES = (0x180, 0x184, 0x188, 0x18C)
HOME_DEG = [0, -10, 45, 45, 0, -10, 45, 45, 5, -5, 50, 45, 60, 25, 15, 45]
PATIENCE_S = 20


def say(check: str, found: object, wanted: object, ok: bool) -> None:
    print(json.dumps({"check": check, "found": found, "wanted": wanted, "ok": ok}), flush=True)


def data(identifier: int, payload: bytes = b"") -> can.Message:
    return can.Message(arbitration_id=identifier, is_extended_id=False, data=payload)


def request(bus: can.BusABC, identifier: int) -> bytes:
    bus.send(can.Message(arbitration_id=identifier, is_extended_id=False, is_remote_frame=True, dlc=0))
    return receive(bus, identifier)


def receive(bus: can.BusABC, identifier: int) -> bytes:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        message = bus.recv(1)
        if message is not None and message.arbitration_id == identifier:
            return bytes(message.data)
    raise SystemExit(f"no frame {identifier:#x} within {PATIENCE_S} s")


def pose_set(bus: can.BusABC) -> list[int]:
    return [count for identifier in POSES for count in struct.unpack("<4h", receive(bus, identifier))]


def silence(bus: can.BusABC) -> bool:
    """Whether nothing comes any more, once what was under way has come."""
    quiet = 0
    end = time.monotonic() + PATIENCE_S
    while quiet < 3 and time.monotonic() < end:
        quiet = quiet + 1 if bus.recv(0.1) is None else 0
    return quiet == 3


def main() -> None:
    bus = can.Bus(interface="slcan", channel=sys.argv[1], bitrate=1_000_000, sleep_after_open=0)
    info = request(bus, INFO)
    say(
        "info: V4, right, off",
        list(info[:5]) + [info[6]],
        [0, 4, 3, 2, 0, 0],
        info[1] == 4 and info[4] == 0 and info[6] == 0,
    )
    serial = request(bus, SERIAL).decode()
    say("serial", serial, "A080R001", serial == "A080R001")

    bus.send(data(PERIOD, struct.pack("<3h", 3, 0, 0)))
    sets = [pose_set(bus) for _ in range(50)]
    off_deg = max(
        abs(count * RADIANS_PER_COUNT * 180 / 3.141592653589793 - wanted)
        for count, wanted in zip(sets[0], HOME_DEG)
    )
    say("positions begin at home [deg]", off_deg, "below 0.01", off_deg < 0.01)

    bus.send(data(ON))
    status = request(bus, INFO)[6]
    say("on", status & 1, 1, status & 1 == 1)
    for identifier in TORQUES:
        bus.send(data(identifier, struct.pack("<4h", 0, 150, 0, 0)))
    curled = pose_set(bus)
    end = time.monotonic() + PATIENCE_S
    while min(curled[joint] - sets[0][joint] for joint in (1, 5, 9, 13)) < 1000 and time.monotonic() < end:
        curled = pose_set(bus)
    moved = [curled[joint] - sets[0][joint] for joint in (1, 5, 9, 13)]
    say("torque curls every finger [counts]", moved, "above 1000", min(moved) >= 1000)

    for identifier in TORQUES:
        bus.send(data(identifier, bytes(8)))
    bus.send(data(OFF))
    status = request(bus, INFO)[6]
    say("off", status & 1, 0, status & 1 == 0)
    bus.send(data(PERIOD, bytes(6)))
    quiet = silence(bus)
    say("no stream after period 0", quiet, True, quiet)
    bus.shutdown()
    print(json.dumps({"done": True}), flush=True)


if __name__ == "__main__":
    main()
