"""A robot that describes its messages in ARTL, and a client of its own, with nothing of ours: written from the wire's
description alone, to be held against the TypeScript codec.

artlRobot.py OBSERVATION_PORT SEED: prints {"port": N}, the UDP port on which it hears commands. Each line of standard
input makes it describe another layout of its observations, send some messages, and print what is in them:
{"missing": [...], "constants": {...}, "messages": [{name: [numbers]}, ...]}; the line "commands" instead prints what the
commands heard so far said, by the description that came with them. Ends with standard input.
"""

import json
import random
import socket
import struct
import sys

import zstandard

FORMATS = "BHIQbhiqfd?cB"
NAMES = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "bool", "char", "bin"]
LEG = ["hip_roll", "hip_yaw", "hip_pitch", "knee", "toe_A", "toe_B"]
ARM = ["shoulder_roll", "shoulder_pitch", "shoulder_yaw", "elbow"]
MOTORS = [f"{side}_{name}" for part in (LEG, ARM) for side in ("left", "right") for name in part]
JOINTS = [
    f"{side}_{name}"
    for side in ("left", "right")
    for name in ("shin", "tarsus", "toe_pitch", "toe_roll", "heel_spring")
]
MESSAGES = 8


def crc32c(data: bytes) -> int:
    """Bit by bit, high bit first on reflected input: another way than a table."""
    remainder = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            top = (remainder >> 31) ^ ((byte >> bit) & 1)
            remainder = ((remainder << 1) & 0xFFFFFFFF) ^ (0x1EDC6F41 if top else 0)
    return int(f"{remainder ^ 0xFFFFFFFF:032b}"[::-1], 2)


def chunk(letters: bytes, data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + letters + data + struct.pack("<I", crc32c(letters + data))


def field(kind: int, rows: int, columns: int, name: str) -> bytes:
    return struct.pack("<HHHH", kind, rows, columns, len(name)) + name.encode("ascii")


class Layout:
    """Some way to lay out observations, and what must be read from it."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        wanted = [("time", 1), ("error", 1), ("battery.state_of_charge", 1)]
        for part in ("base", "imu"):
            wanted += [(f"{part}.orientation.{axis}", 1) for axis in "wxyz"]
        wanted += [(f"base.{name}", 3) for name in ("translation", "linear_velocity", "angular_velocity")]
        wanted += [(f"imu.{name}", 3) for name in ("angular_velocity", "linear_acceleration", "magnetic_field")]
        wanted += [(f"{motor}.{what}", 1) for motor in MOTORS for what in ("position", "velocity", "torque")]
        wanted += [(f"{joint}.{what}", 1) for joint in JOINTS for what in ("position", "velocity")]
        left_out = set(chance.sample([name for name, _ in wanted], chance.choice((0, 0, 3))))
        self.missing = sorted(left_out)
        self.fields = [
            (self.kind_of(name), rows, 1, name) for name, rows in wanted if name not in left_out
        ]
        if chance.random() < 0.7:
            chance.shuffle(self.fields)
        for _ in range(chance.choice((0, 0, 7))):
            padding = (chance.choice((0, 3, 12)), chance.randint(1, 9), chance.randint(1, 3), "")
            self.fields.insert(chance.randrange(len(self.fields)), padding)
        self.enum_type = 0
        if chance.random() < 0.5:
            self.enum_type = chance.randint(256, 32767)
            self.fields.insert(chance.randrange(len(self.fields)), (self.enum_type, 1, 1, "gait"))
            self.fields.insert(0, (7, 2, 3, "nobody.knows"))
        self.enum_beneath = chance.choice((0, 2, 4))

    def kind_of(self, name: str) -> int:
        if name == "error":
            return 10
        if name == "battery.state_of_charge":
            return self.chance.randint(0, 7)
        return 8 if self.chance.random() < 0.3 else 9

    def format_of(self, kind: int) -> str:
        return FORMATS[self.enum_beneath if kind >= 256 else kind]

    def description(self, limits: dict[str, list[float]]) -> list[bytes]:
        case = self.chance.random() < 0.3
        named = [b"desc", b"enum"] if case else [b"DESC", b"ENUM"]
        parts = []
        if self.enum_type:
            head = struct.pack("<HH", self.enum_type, self.enum_beneath)
            labels = [struct.pack("<" + FORMATS[self.enum_beneath], n) + b"\x02\x00s" + b"%d" % n for n in range(3)]
            parts.append(chunk(named[1], head + b"".join(labels)))
        cut = self.chance.randrange(len(self.fields)) if self.chance.random() < 0.5 else len(self.fields)
        for some in (self.fields[:cut], self.fields[cut:]):
            if some:
                parts.append(chunk(named[0], b"".join(field(*one) for one in some)))
        values = b"".join(struct.pack(f"<{len(some)}d", *some) for some in limits.values())
        fields = b"".join(field(9, len(some), 1, name) for name, some in limits.items())
        comment = chunk(b"CMNt", struct.pack("<I", len(values)) + values + fields)
        parts.insert(self.chance.randrange(len(parts) + 1) if not self.enum_type else len(parts), comment)
        if self.chance.random() < 0.5:
            parts.append(chunk(b"XTRa", self.chance.randbytes(5)))
        end = struct.pack("<I", crc32c(b"".join(part[4:-4] for part in parts)))
        if self.chance.random() < 0.5:
            parts.append(chunk(b"XTRB", self.chance.randbytes(5)))
        return [chunk(b"STRT", b""), *parts, chunk(b"DEND", end)]

    def message(self, time_s: float) -> tuple[bytes, dict[str, list[float]]]:
        data, values = b"", {}
        for kind, rows, columns, name in self.fields:
            form = self.format_of(kind)
            if name == "time":
                numbers = [time_s]
            elif form in "fd":
                numbers = [self.chance.uniform(-50, 50) for _ in range(rows * columns)]
            elif form == "c":
                numbers = [self.chance.randbytes(1) for _ in range(rows * columns)]
            elif form == "?":
                numbers = [self.chance.random() < 0.5]
            else:
                numbers = [self.chance.randint(0, 100) for _ in range(rows * columns)]
            packed = struct.pack(f"<{len(numbers)}{form}", *numbers)
            data += packed
            if name not in ("", "gait", "nobody.knows"):
                values[name] = [float(number) for number in struct.unpack(f"<{len(numbers)}{form}", packed)]
        return data, values


class Client:
    """Reads commands by the description that comes before them."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.fields: list[tuple[str, str]] = []
        self.commands: list[dict[str, float]] = []

    def take(self, datagram: bytes) -> None:
        (length,) = struct.unpack_from("<I", datagram)
        letters, data = datagram[4:8], datagram[8 : 8 + length]
        assert struct.unpack_from("<I", datagram, 8 + length)[0] == crc32c(letters + data), "checksum"
        if letters == b"STRT":
            self.parts = []
        elif letters in (b"ENUM", b"DESC"):
            self.parts.append(letters + data)
        elif letters == b"DEND":
            assert struct.unpack("<I", data)[0] == crc32c(b"".join(self.parts)), "description"
            if not self.fields:
                self.read_fields()
        elif letters == b"UDAT" and self.fields:
            values = struct.unpack("<" + "".join(form for form, _ in self.fields), data)
            self.commands.append(dict(zip((name for _, name in self.fields), map(float, values))))

    def read_fields(self) -> None:
        enums = {}
        for part in self.parts:
            if part[:4] == b"ENUM":
                number, beneath = struct.unpack_from("<HH", part, 4)
                enums[number] = beneath
        for part in self.parts:
            at = 4
            while part[:4] == b"DESC" and at < len(part):
                kind, rows, columns, letters = struct.unpack_from("<HHHH", part, at)
                assert (rows, columns) == (1, 1)
                self.fields.append((FORMATS[enums.get(kind, kind)], part[at + 8 : at + 8 + letters].decode()))
                at += 8 + letters


def main(port: int, seed: int) -> None:
    ears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ears.bind(("127.0.0.1", 0))
    ears.setblocking(False)
    mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    chance = random.Random(seed)
    client = Client()
    print(json.dumps({"port": ears.getsockname()[1]}), flush=True)
    for line in sys.stdin:
        if line.strip() == "commands":
            while True:
                try:
                    client.take(ears.recv(65536))
                except BlockingIOError:
                    break
            print(json.dumps(client.commands), flush=True)
            continue
        layout = Layout(chance)
        limits = {"error_shutdown_delay": [0.5]}
        for motor in MOTORS:
            for what in ("torque", "damping", "velocity"):
                limits[f"{motor}.{what}_limit"] = [chance.uniform(1, 200)]
        description = layout.description(limits)
        messages = []
        # The other end of a description ends the connection, and this one begins.
        datagrams = [description[-1], *description]
        for number in range(MESSAGES):
            data, values = layout.message(1.0 + number)
            messages.append(values)
            is_compressed = chance.random() < 0.3
            packed = zstandard.ZstdCompressor().compress(data) if is_compressed else data
            datagrams.append(chunk(b"CDAT" if is_compressed else b"UDAT", packed))
        for datagram in datagrams:
            mouth.sendto(datagram, ("127.0.0.1", port))
        print(
            json.dumps({"missing": layout.missing, "constants": limits, "messages": messages}), flush=True
        )


main(int(sys.argv[1]), int(sys.argv[2]))
