"""Which frames are worth keeping: an even rate, and nothing twice."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

NS_PER_S = 1_000_000_000
# Cells along a side. A cell of a 640x480 picture is 40x30 px: the camera's noise averages out, a hand does
# not.
CELLS = 16


class Rate:
    """At most one frame in each period, counted from the first frame, whatever rate the camera had."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = round(NS_PER_S / rate_hz)
        self._first_ns: int | None = None
        self._due = 0

    def takes(self, stamp_ns: int) -> bool:
        if self._first_ns is None:
            self._first_ns = stamp_ns
        period = (stamp_ns - self._first_ns) // self._period_ns
        if period < self._due:
            return False
        self._due = period + 1
        return True


class Change:
    """Does a frame differ from the last one that was kept? By the cell that has changed most."""

    def __init__(self, grey_levels: float) -> None:
        self._least = grey_levels
        self._last: np.ndarray | None = None

    def is_new(self, rgb: np.ndarray) -> bool:
        """(h, w, 3) uint8. With 0 grey levels every frame is."""
        cells = cv2.resize(rgb, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
        if self._last is not None and np.abs(cells - self._last).max() < self._least:
            return False
        self._last = cells
        return True


class Twins:
    """The very same bytes in several sources: a file that is there twice."""

    def __init__(self) -> None:
        self._former: set[bytes] = set()
        self._own: set[bytes] = set()

    def begin(self) -> None:
        """Another source follows."""
        self._former |= self._own
        self._own = set()

    def is_new(self, jpeg: bytes) -> bool:
        digest = hashlib.blake2b(jpeg, digest_size=16).digest()
        self._own.add(digest)
        return digest not in self._former


def encoded(rgb: np.ndarray, size_px: int, quality: int) -> bytes:
    """JPEG of (h, w, 3) uint8 RGB, reduced until its shorter side is `size_px`; smaller ones stay as they
    are.
    """
    height, width = rgb.shape[:2]
    scale = size_px / min(height, width)
    if scale < 1:
        sizes = (max(size_px, round(width * scale)), max(size_px, round(height * scale)))
        rgb = cv2.resize(rgb, sizes, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert done
    return data.tobytes()
