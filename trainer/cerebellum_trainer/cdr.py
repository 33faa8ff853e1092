"""Checked reading of the three ROS 2 messages that the trainer needs from a recording.

Encoding: XCDR1 plain CDR, little endian, as ROS 2 puts it on the wire and into MCAP (OMG DDSI-RTPS 2.5,
section 10; DDS-XTypes 1.3, section 7.4). Four bytes of header precede the body; a number is aligned to its
own size, counted from the start of the body; a string is a byte count that includes its terminating zero.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from cerebellum_trainer.errors import TrainerError

HEADER_BYTES = 4
LITTLE_ENDIAN_CDR = b"\x00\x01"
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class CompressedImage:
    """sensor_msgs/msg/CompressedImage: `stamp_ns` is the capture time (epoch)."""

    stamp_ns: int
    format: str
    data: bytes


@dataclass(frozen=True)
class JointState:
    """sensor_msgs/msg/JointState; position (n,) [rad], in the order of `names`."""

    stamp_ns: int
    names: tuple[str, ...]
    position: np.ndarray


class CdrReader:
    """Walks one message; every read is checked against the end of the message."""

    def __init__(self, message: bytes, kind: str) -> None:
        if len(message) < HEADER_BYTES or message[:2] != LITTLE_ENDIAN_CDR:
            raise TrainerError(
                "CDR_CORRUPT",
                f"{kind} starts with {message[:4].hex()}, not with a little-endian CDR header 0001xxxx",
                "Record the topic with the ROS 2 profile",
            )
        self._body = memoryview(message)[HEADER_BYTES:]
        self._kind = kind
        self._offset = 0

    def uint32(self) -> int:
        return struct.unpack("<I", self._take(4, align=4))[0]

    def int32(self) -> int:
        return struct.unpack("<i", self._take(4, align=4))[0]

    def stamp_ns(self) -> int:
        """builtin_interfaces/Time as epoch nanoseconds."""
        seconds, nanoseconds = self.int32(), self.uint32()
        if nanoseconds >= NS_PER_S:
            raise self._corrupt(f"has a stamp with {nanoseconds} ns in its second")
        return seconds * NS_PER_S + nanoseconds

    def string(self) -> str:
        size = self.uint32()
        raw = bytes(self._take(size, align=1))
        if size == 0 or raw[-1] != 0:
            raise self._corrupt("has a string without its terminating zero")
        try:
            return raw[:-1].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._corrupt("has a string that is not UTF-8") from error

    def strings(self) -> tuple[str, ...]:
        return tuple(self.string() for _ in range(self._count(smallest_bytes=5)))

    def bytes_(self) -> bytes:
        return bytes(self._take(self.uint32(), align=1))

    def float64s(self) -> np.ndarray:
        """sequence<double> as a (n,) float64 array."""
        count = self._count(smallest_bytes=8)
        if count == 0:
            return np.zeros(0)
        return np.frombuffer(self._take(8 * count, align=8), dtype="<f8").copy()

    def _count(self, smallest_bytes: int) -> int:
        count = self.uint32()
        if count * smallest_bytes > len(self._body) - self._offset:
            raise self._corrupt(f"declares {count} elements, more than it can hold")
        return count

    def _take(self, size: int, align: int) -> memoryview:
        start = -(-self._offset // align) * align
        if start + size > len(self._body):
            raise self._corrupt(f"ends at byte {len(self._body)} where {start + size} are needed")
        self._offset = start + size
        return self._body[start : start + size]

    def _corrupt(self, what: str) -> TrainerError:
        return TrainerError(
            "CDR_CORRUPT", f"{self._kind} {what}", "The recording is damaged: repair or leave it out"
        )


def read_compressed_image(message: bytes) -> CompressedImage:
    """Raises: TrainerError CDR_CORRUPT if the message is cut short or malformed."""
    reader = CdrReader(message, "sensor_msgs/msg/CompressedImage")
    stamp_ns = reader.stamp_ns()
    reader.string()  # frame_id
    return CompressedImage(stamp_ns, reader.string(), reader.bytes_())


def read_joint_state(message: bytes) -> JointState:
    """Raises: TrainerError CDR_CORRUPT if malformed, of unequal lengths, or if a value is not finite."""
    reader = CdrReader(message, "sensor_msgs/msg/JointState")
    stamp_ns = reader.stamp_ns()
    reader.string()  # frame_id
    names, position = reader.strings(), reader.float64s()
    if len(names) != len(position) or not np.isfinite(position).all():
        raise TrainerError(
            "CDR_CORRUPT",
            f"JointState has {len(names)} names and {len(position)} positions, or one that is not finite",
            "The recording is damaged: repair or leave it out",
        )
    return JointState(stamp_ns, names, position)


def read_string(message: bytes) -> str:
    """std_msgs/msg/String. Raises: TrainerError CDR_CORRUPT if malformed."""
    return CdrReader(message, "std_msgs/msg/String").string()
