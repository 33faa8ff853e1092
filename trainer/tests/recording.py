"""Writes small episodes as the daemon does. CDR is built by hand, so the reader has no accomplice."""

from __future__ import annotations

import io
import json
import struct
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mcap.writer import Writer
from PIL import Image

from cerebellum_trainer.devices import ALLEGRO, XARM7

JOINTS = XARM7.joints
HAND_JOINTS = ALLEGRO.joints
START_NS = 1_700_000_000_123_456_789
STEP_NS = 200_000_000
TICK_NS = 20_000_000
# What was sent runs this far from what was measured at the same time.
SENT_OFF_RAD = 0.01
IMAGE_TOPIC = "/camera/wrist/color/image_raw/compressed"
INPUT_TOPIC = "/cerebellum/policy_input/wrist/compressed"
TICK_TOPIC = "/arm/servo_tick"
STEP_TOPIC = "/cerebellum/policy_step"
TELEOP_TOPIC = "/cerebellum/teleop_input"
CAMERA = {
    "imageTopic": IMAGE_TOPIC,
    "storage": "png",
    "widthPx": 640,
    "heightPx": 480,
    "rateHz": 30,
    "fovYDeg": 42,
    "mount": {
        "robot": "arm",
        "positionM": [0.075, 0, 0.025],
        "quatXyzw": [-0.0739128, -0.0739128, 0.7032332, 0.7032332],
    },
}
OVERHEAD = {
    **CAMERA,
    "imageTopic": "/camera/overhead/color/image_raw/compressed",
    "mount": {
        "robot": "hand",
        "parentFrame": "palm",
        "positionM": [0.4, 0, 0.05],
        "quatXyzw": [0.5, 0.5, 0.5, -0.5],
    },
}
BESIDE = {
    **CAMERA,
    "imageTopic": "/camera/beside/color/image_raw/compressed",
    "rateHz": 15,
    "mount": {
        "robot": "arm",
        "parentFrame": "base",
        "positionM": [1.05, 0, 0.62],
        "quatXyzw": [-0.6485211, -0.6485211, 0.2818163, 0.2818163],
    },
}
TIME = "int32 sec\nuint32 nanosec\n"
HEADER = "# Standard metadata\nbuiltin_interfaces/Time stamp\n\nstring frame_id\n"
LINE = "=" * 80
COMPRESSED_IMAGE = f"""std_msgs/Header header # Its stamp is the time of capture
string format
uint8[] data
{LINE}
MSG: std_msgs/Header
{HEADER}
{LINE}
MSG: builtin_interfaces/Time
{TIME}"""
MESSAGES = Path(__file__).parents[2] / "launch/interfaces/cerebellum_msgs/msg"


def own_definition(name: str) -> str:
    text = (MESSAGES / f"{name}.msg").read_text(encoding="utf-8")
    return f"{text}\n{LINE}\nMSG: builtin_interfaces/Time\n{TIME}"


TYPES = {
    IMAGE_TOPIC: ("sensor_msgs/msg/CompressedImage", COMPRESSED_IMAGE),
    INPUT_TOPIC: ("sensor_msgs/msg/CompressedImage", COMPRESSED_IMAGE),
    TICK_TOPIC: ("cerebellum_msgs/msg/ServoTick", own_definition("ServoTick")),
    STEP_TOPIC: ("cerebellum_msgs/msg/PolicyStep", own_definition("PolicyStep")),
    TELEOP_TOPIC: ("cerebellum_msgs/msg/TeleopInput", own_definition("TeleopInput")),
}


class Cdr:
    """Little-endian plain CDR, by hand."""

    def __init__(self) -> None:
        self._body = b""

    def pack(self, code: str, value: float) -> Cdr:
        data = struct.pack(f"<{code}", value)
        self._body += b"\0" * (-len(self._body) % len(data)) + data
        return self

    def u32(self, *values: int) -> Cdr:
        for value in values:
            self.pack("I", value)
        return self

    def u64(self, *values: int) -> Cdr:
        for value in values:
            self.pack("Q", value)
        return self

    def time(self, stamp_ns: int) -> Cdr:
        return self.pack("i", stamp_ns // 10**9).u32(stamp_ns % 10**9)

    def text(self, value: str) -> Cdr:
        raw = value.encode() + b"\0"
        self.u32(len(raw))
        self._body += raw
        return self

    def data(self, value: bytes) -> Cdr:
        self.u32(len(value))
        self._body += value
        return self

    def float64s(self, *values: float) -> Cdr:
        for value in values:
            self.pack("d", value)
        return self

    def vectors(self, *vectors: list[float] | np.ndarray) -> Cdr:
        for vector in vectors:
            self.u32(len(vector)).float64s(*vector)
        return self

    def message(self) -> bytes:
        return b"\0\1\0\0" + self._body


def compressed_image(stamp_ns: int, data: bytes, encoding: str = "png") -> bytes:
    return Cdr().time(stamp_ns).text("camera").text(encoding).data(data).message()


def servo_tick(
    stamp_ns: int,
    state_ns: int,
    sent: np.ndarray,
    position: np.ndarray,
    state: str = "following",
    gripper_m: float = np.nan,
    opening_m: float = 0.08,
) -> bytes:
    nothing = np.zeros(len(position))
    return (
        Cdr()
        .time(stamp_ns)
        .u64(17)
        .text(state)
        .u32(3)
        .text("test")
        .u32(5, 0)
        .time(state_ns)
        .u64(18, 19)
        .vectors(sent, sent, sent, position, nothing, nothing)
        .float64s(gripper_m, opening_m)
        .u32(0)
        # Only a robot on legs has a base.
        .vectors(*[[]] * 7)
        .message()
    )


def policy_step(
    stamp_ns: int,
    image_ns: int,
    position: np.ndarray,
    label: np.ndarray,
    phase: str,
    refusal: str = "",
    camera: str = "wrist",
    opening_m: float = 0.08,
    label_m: float = np.nan,
) -> bytes:
    return (
        Cdr()
        .time(stamp_ns)
        .text("expert")
        .u32(1, 0)
        .text(refusal)
        .text(camera)
        .time(image_ns)
        .vectors(position)
        .float64s(opening_m)
        .vectors(label + 0.01, label + 0.01, position + label + 0.01, label)
        .text(phase)
        .u32(4)
        .time(stamp_ns + 1)
        .float64s(0.1, 40, np.nan, np.nan, np.nan, 0.2)
        .float64s(label_m, label_m, label_m)
        .message()
    )


def teleop_input(stamp_ns: int, state: str) -> bytes:
    nothing = [np.nan] * 7
    return (
        Cdr()
        .time(stamp_ns)
        .text("webxr")
        .text("headset")
        .text("operator")
        .u32(1)
        .float64s(0.5)
        .text("local-floor")
        .text("right")
        .pack("B", 1)
        .float64s(*nothing, 1.0, 0.0)
        .vectors([])
        .text(state)
        .text("")
        .float64s(*nothing)
        .vectors([])
        .u32(0, 0)
        .message()
    )


def picture(block_x: float, block_y: float, brightness: int, size: tuple[int, int] = (640, 480)) -> bytes:
    """PNG of a grey table with a red square at block_x, block_y in 0..1 of the lower-centre crop."""
    pixels = np.full((size[1], size[0], 3), brightness, np.uint8)
    column, row = int(96 + block_x * 448), int(32 + block_y * 448)
    pixels[max(0, row - 30) : row + 30, max(0, column - 30) : column + 30] = (200, 20, 20)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


class Plan:
    """What happens in an episode: at step k joints are at `position[k]`, on a straight line in between."""

    def __init__(self, seed: int, steps: int, holds: int, joints: int = 7) -> None:
        generator = np.random.default_rng(seed)
        self.hold = np.arange(steps) >= steps - holds
        self.position = np.cumsum(generator.normal(0, 0.03, (steps + 2, joints)), axis=0)
        self.position[max(0, steps - holds) :] = self.position[max(0, steps - holds)]
        self.block = np.where(self.hold[:, None], 0.5, generator.uniform(0.1, 0.9, (steps, 2)))
        # A linear function of where the square is, so that it can be learnt.
        x, y = self.block.T - 0.5
        columns = [x, y, 0 * x, y - x, 0 * x, x, 0 * x]
        self.label = 0.1 * np.stack([columns[joint % 7] for joint in range(joints)], axis=1)

    def position_at(self, at_ns: int) -> np.ndarray:
        at = max(0.0, (at_ns - START_NS) / STEP_NS)
        before = min(int(at), len(self.position) - 2)
        share = min(1.0, at - before)
        return (1 - share) * self.position[before] + share * self.position[before + 1]


def write_episode(
    folder: Path,
    number: int = 1,
    seed: int = 1,
    steps: int = 14,
    holds: int = 4,
    start: dict[str, str] | None = None,
    end: dict[str, str] | None = None,
    records: tuple[str, ...] = ("episode", "episode_end"),
    position_offset_rad: float = 0.0,
    joint_names: tuple[str, ...] = JOINTS,
    rename: dict[str, str] | None = None,
    change: Callable[[str, int, bytes], bytes | None] = lambda _topic, _stamp_ns, data: data,
    hand: Callable[[float], str] | None = None,
    robots: dict[str, tuple[str, ...]] | None = None,
    camera: dict = CAMERA,
    has_gripper: bool = True,
    fingers: Callable[[float], tuple[float, float]] | None = None,
    beside_ns: tuple[int, ...] | None = None,
) -> Path:
    """`change` sees each message by topic and stamp, and may injure it or take it away; `rename` moves all
    messages of a topic to another one. `hand` says teleoperation's state at a time [steps]; without it there
    is no operator. `robots`: joint names of each; an arm whose vectors are in the order of `joint_names` when
    there are none. `fingers` says the opening of the arm's gripper at a time [steps], and the one asked for;
    without it it stands open and nobody has asked. `beside_ns`: stamps of the pictures of a second camera, by
    time since the start; what the episode's own shows then, mirrored and a little brighter. Returns the file.
    """
    name = f"episode-{number:06d}"
    path = folder / name / f"{name}.mcap"
    path.parent.mkdir(parents=True)
    order = [JOINTS.index(joint) for joint in joint_names if joint in JOINTS]
    places = {"arm": order}
    if robots is not None:
        counts = np.cumsum([0, *map(len, robots.values())])
        places = {robot: list(range(counts[k], counts[k + 1])) for k, robot in enumerate(robots)}
        order = list(range(counts[-1]))
    plan = Plan(seed, steps, holds, 7 if robots is None else len(order))
    role = "wrist" if camera is CAMERA else "overhead"
    openings = fingers or (lambda _at: (0.08, np.nan))
    image_topic = camera["imageTopic"]
    with path.open("wb") as stream:
        writer = Writer(stream, enable_data_crcs=True)
        writer.start(profile="ros2", library="test")
        if "episode" in records:
            first = start_record(name, seed, joint_names, robots, camera)
            if beside_ns is not None:
                first["cameras"] = json.dumps({**json.loads(first["cameras"]), "beside": BESIDE})
            writer.add_metadata("episode", {**first, **(start or {})})
        channels = {}
        ticks = {f"/{robot}/servo_tick": TYPES[TICK_TOPIC] for robot in places}
        topics = {**TYPES, **ticks, image_topic: TYPES[IMAGE_TOPIC]}
        if beside_ns is not None:
            topics[BESIDE["imageTopic"]] = TYPES[IMAGE_TOPIC]
        for topic, (kind, definition) in topics.items():
            schema = writer.register_schema(name=kind, encoding="ros2msg", data=definition.encode())
            channels[topic] = writer.register_channel(topic=topic, message_encoding="cdr", schema_id=schema)

        def add(topic: str, stamp_ns: int, delay_ns: int, data: bytes) -> None:
            topic = (rename or {}).get(topic, topic)
            kept = change(topic, stamp_ns, data)
            if kept is not None:
                writer.add_message(channels[topic], stamp_ns + delay_ns, kept, publish_time=stamp_ns)

        for stamp_ns in range(START_NS - STEP_NS, START_NS + (steps + 1) * STEP_NS + 1, TICK_NS):
            state_ns = stamp_ns - TICK_NS
            sent, measured = plan.position_at(stamp_ns) + SENT_OFF_RAD, plan.position_at(state_ns)
            opening_m, asked_m = openings((stamp_ns - START_NS) / STEP_NS)
            for robot, joints in places.items():
                gripper = (asked_m, opening_m) if has_gripper and robot == "arm" else (np.nan, np.nan)
                tick = servo_tick(stamp_ns, state_ns, sent[joints], measured[joints], "following", *gripper)
                add(f"/{robot}/servo_tick", stamp_ns, 0, tick)
            if hand is not None:
                add(TELEOP_TOPIC, stamp_ns, 0, teleop_input(stamp_ns, hand((stamp_ns - START_NS) / STEP_NS)))
        for since_ns in beside_ns or ():
            block = plan.block[min(steps - 1, max(0, round(since_ns / STEP_NS)))]
            seen = picture(*(1 - block), 100 + seed % 40)
            at_ns = START_NS + since_ns
            add(BESIDE["imageTopic"], at_ns, 12_000_000, compressed_image(at_ns, seen))
        for index in range(steps):
            stamp_ns = START_NS + index * STEP_NS
            data = picture(*plan.block[index], 90 + seed % 40)
            add(image_topic, stamp_ns, 12_000_000, compressed_image(stamp_ns, data))
            position = plan.position[index] + position_offset_rad
            phase = "hold" if plan.hold[index] else "reach"
            label = plan.label[index][order]
            at_ns, gripper = stamp_ns + 66_000_000, openings(index)
            step = policy_step(at_ns, stamp_ns, position[order], label, phase, "", role, *gripper)
            add(STEP_TOPIC, stamp_ns + 66_000_000, 30_000_000, step)
        if "episode_end" in records:
            writer.add_metadata("episode_end", {**end_record(), **(end or {})})
        writer.finish()
    return path


def start_record(
    name: str,
    seed: int,
    joint_names: tuple[str, ...],
    robots: dict[str, tuple[str, ...]] | None = None,
    camera: dict = CAMERA,
) -> dict[str, str]:
    clock = json.dumps({"monotonicNs": "5000000000", "epochNs": str(START_NS)})
    joints = {"arm": joint_names} if robots is None else robots
    return {
        "schema": "cerebellum/episode@1",
        "uuid": str(uuid.UUID(int=(0x4 << 76) | (0x8 << 60) | seed)),
        "task": "reach-block",
        "name": name,
        "kind": "demonstration",
        "note": "",
        "startedNs": str(START_NS),
        "clock": clock,
        "robots": json.dumps({robot: {"jointNames": names} for robot, names in joints.items()}),
        "cameras": json.dumps({"wrist" if camera is CAMERA else "overhead": camera}),
        "context": json.dumps({"seed": seed}),
    }


def end_record() -> dict[str, str]:
    return {"endedNs": str(START_NS + 10**10), "endedBecause": "stopped", "outcome": "success", "flags": "[]"}


def write_edits(folder: Path, *edits: dict | str) -> None:
    """Edits as lines of the set's log; a text is written as it is."""
    with (folder / "edits.jsonl").open("a", encoding="utf-8") as stream:
        for edit in edits:
            stream.write(edit if isinstance(edit, str) else json.dumps(edit, separators=(",", ":")) + "\n")


def edit(number: int, seed: int, kind: str, **fields: object) -> dict:
    record = start_record(f"episode-{number:06d}", seed, JOINTS)
    base = {"schema": "cerebellum/edit@1", "atNs": str(START_NS), "by": "test", "note": ""}
    return {**base, "episode": record["name"], "uuid": record["uuid"], "kind": kind, **fields}
