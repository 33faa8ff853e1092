"""python-can on an SLCAN adapter: sends each frame that comes as a line of JSON, and prints each that it receives.

canPeer.py PATH: first prints `ready`; ends with standard input, closing its channel.
"""

import json
import sys
import threading

import can


def receive(bus: can.BusABC, ended: threading.Event) -> None:
    while not ended.is_set():
        message = bus.recv(timeout=0.05)
        if message is None:
            continue
        frame = {
            "id": message.arbitration_id,
            "isExtended": message.is_extended_id,
            "isRemote": message.is_remote_frame,
            "length": message.dlc,
            "data": bytes(message.data).hex(),
        }
        print(json.dumps(frame), flush=True)


def main(path: str) -> None:
    # Without its pause of two seconds, which is for adapters that restart when they are opened.
    bus = can.Bus(interface="slcan", channel=path, tty_baudrate=1_000_000, bitrate=1_000_000, sleep_after_open=0)
    ended = threading.Event()
    receiver = threading.Thread(target=receive, args=(bus, ended))
    receiver.start()
    print("ready", flush=True)
    for line in sys.stdin:
        frame = json.loads(line)
        bus.send(
            can.Message(
                arbitration_id=frame["id"],
                is_extended_id=frame["isExtended"],
                is_remote_frame=frame["isRemote"],
                dlc=frame["length"],
                data=None if frame["isRemote"] else bytes.fromhex(frame["data"]),
                check=True,
            )
        )
    ended.set()
    receiver.join()
    bus.shutdown()


main(sys.argv[1])
