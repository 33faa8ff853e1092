"""How sure a share is."""

from __future__ import annotations

import math


def wilson(right: float, count: int) -> tuple[float, float]:
    """95 % interval of a share `right` of `count` independent trials (Wilson 1927)."""
    z = 1.96
    middle = (right + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(right * (1 - right) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)
