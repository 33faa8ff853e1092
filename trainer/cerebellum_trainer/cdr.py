"""Checked reading of ROS 2 messages, number by number; which numbers there are is said by rosmsg.py.

Encoding: XCDR1 plain CDR, little endian, as ROS 2 puts it on the wire and into MCAP (OMG DDSI-RTPS 2.5,
section 10; DDS-XTypes 1.3, section 7.4). Four bytes of header precede the body; a number is aligned to its
own size, counted from the start of the body; a string is a byte count that includes its terminating zero.
"""

from __future__ import annotations

import struct

import numpy as np

from cerebellum_trainer.errors import TrainerError

HEADER_BYTES = 4
LITTLE_ENDIAN_CDR = b"\x00\x01"


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

    def number(self, code: str, size: int) -> int | float | bool:
        """One number by its `struct` code."""
        return struct.unpack(f"<{code}", self._take(size, align=size))[0]

    def uint32(self) -> int:
        return struct.unpack("<I", self._take(4, align=4))[0]

    def string(self) -> str:
        raw = bytes(self._take(self.uint32(), align=1))
        if not raw or raw[-1] != 0:
            raise self._corrupt("has a string without its terminating zero")
        try:
            return raw[:-1].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._corrupt("has a string that is not UTF-8") from error

    def count(self, smallest_bytes: int) -> int:
        """Length of a sequence whose elements take at least so many bytes each."""
        count = self.uint32()
        if count * smallest_bytes > len(self._body) - self._offset:
            raise self._corrupt(f"declares {count} elements, more than it can hold")
        return count

    def numbers(self, dtype: str, count: int) -> np.ndarray:
        """So many numbers of a numpy type, as an array of its own."""
        size = np.dtype(dtype).itemsize
        if count == 0:
            return np.zeros(0, dtype)
        return np.frombuffer(self._take(size * count, align=size), dtype=f"<{dtype}").copy()

    def raw(self, size: int) -> bytes:
        return bytes(self._take(size, align=1))

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
