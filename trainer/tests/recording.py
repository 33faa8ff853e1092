"""Writes small recordings as the daemon does. CDR is built by hand, so the reader has no accomplice."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
from mcap.writer import Writer
from PIL import Image

from cerebellum_trainer.episodes import IMAGE_TOPIC, JOINT_TOPIC, JOINTS, STEP_TOPIC

START_NS = 1_700_000_000_123_456_789
CAMERA = {
    "fovYDeg": 42,
    "positionM": [0.075, 0, 0.025],
    "quatXyzw": [-0.0739128, -0.0739128, 0.7032332, 0.7032332],
}


def pad(data: bytes, align: int) -> bytes:
    return data + b"\0" * (-len(data) % align)


def string(data: bytes, text: str) -> bytes:
    raw = text.encode() + b"\0"
    return pad(data, 4) + struct.pack("<I", len(raw)) + raw


def header(stamp_ns: int, frame: str) -> bytes:
    return string(struct.pack("<iI", stamp_ns // 10**9, stamp_ns % 10**9), frame)


def compressed_image(stamp_ns: int, data: bytes, encoding: str = "jpeg") -> bytes:
    body = string(header(stamp_ns, "camera"), encoding)
    return b"\0\1\0\0" + pad(body, 4) + struct.pack("<I", len(data)) + data


def joint_state(stamp_ns: int, names: list[str], position: list[float]) -> bytes:
    body = pad(header(stamp_ns, ""), 4) + struct.pack("<I", len(names))
    for name in names:
        body = string(body, name)
    body = pad(body, 4) + struct.pack("<I", len(position))
    body = pad(body, 8) + struct.pack(f"<{len(position)}d", *position) if position else body
    return b"\0\1\0\0" + pad(body, 4) + struct.pack("<II", 0, 0)


def string_message(text: str) -> bytes:
    return b"\0\1\0\0" + string(b"", text)


def picture(block_x: float, block_y: float, brightness: int, size: tuple[int, int] = (640, 480)) -> bytes:
    """PNG of a grey table with a red square at block_x, block_y in 0..1 of the lower-centre crop."""
    pixels = np.full((size[1], size[0], 3), brightness, np.uint8)
    column, row = int(96 + block_x * 448), int(32 + block_y * 448)
    pixels[max(0, row - 30) : row + 30, max(0, column - 30) : column + 30] = (200, 20, 20)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def write_episode(
    path: Path,
    seed: int,
    steps: int = 14,
    holds: int = 4,
    metadata: dict[str, str] | None = None,
    leave_out_image: int | None = None,
    position_offset_rad: float = 0.0,
    step_text: str | None = None,
) -> None:
    """An episode whose action is a linear function of where the square is, so that it can be learnt."""
    generator = np.random.default_rng(seed)
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start(profile="ros2", library="test")
        topics = {
            IMAGE_TOPIC: "sensor_msgs/msg/CompressedImage",
            JOINT_TOPIC: "sensor_msgs/msg/JointState",
            STEP_TOPIC: "std_msgs/msg/String",
        }
        channels = {}
        for topic, kind in topics.items():
            schema = writer.register_schema(name=kind, encoding="ros2msg", data=b"")
            channels[topic] = writer.register_channel(topic=topic, message_encoding="cdr", schema_id=schema)

        def add(topic: str, stamp_ns: int, data: bytes) -> None:
            writer.add_message(channels[topic], log_time=stamp_ns, data=data, publish_time=stamp_ns)

        for index in range(steps):
            stamp_ns = START_NS + index * 200_000_000
            position = generator.normal(0, 0.3, 7)
            hold = index >= steps - holds
            x, y = (0.5, 0.5) if hold else generator.uniform(0.1, 0.9, 2)
            action = np.zeros(7) if hold else np.array([x - 0.5, y - 0.5, 0, y - x, 0, x - 0.5, 0]) * 0.1
            add(JOINT_TOPIC, stamp_ns + 3_000_000, joint_state(stamp_ns + 3_000_000, *_reported(position)))
            if index != leave_out_image:
                add(IMAGE_TOPIC, stamp_ns, compressed_image(stamp_ns, picture(x, y, 90 + seed % 40)))
            step = {
                "imageStampNs": str(stamp_ns),
                "positionRad": (position + position_offset_rad).tolist(),
                "actionRad": action.tolist(),
                "executedRad": (action + 0.01).tolist(),
                "stepNs": str(stamp_ns + 66_000_000),
                "phase": "hold" if hold else "reach",
            }
            add(STEP_TOPIC, stamp_ns + 66_000_000, string_message(step_text or json.dumps(step)))
        default = {
            "task": "reach-block",
            "outcome": "success",
            "cameraMount": json.dumps(CAMERA),
            "seed": str(seed),
        }
        writer.add_metadata("episode", {**default, **(metadata or {})})
        writer.finish()


def _reported(position: np.ndarray) -> tuple[list[str], list[float]]:
    """The gripper comes first, so that a reader which trusts the order is caught."""
    return ["drive_joint", *JOINTS], [0.4, *position.tolist()]
