"""Outlines of the drawn objects. Each has an up of its own: no quarter turn maps one onto itself or another.

A shape is a function of object coordinates (x right, y up, about -1..1) that is positive inside. Its value is
no distance; only the sign counts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Plane = np.ndarray
Outline = Callable[[Plane, Plane], Plane]


def box(x: Plane, y: Plane, left: float, right: float, low: float, high: float) -> Plane:
    return np.minimum(np.minimum(x - left, right - x), np.minimum(y - low, high - y))


def disc(x: Plane, y: Plane, centre_x: float, centre_y: float, radius: float) -> Plane:
    return radius - np.hypot(x - centre_x, y - centre_y)


def triangle(x: Plane, y: Plane, apex: float, base: float, half: float) -> Plane:
    """Isosceles, upright on y = base with its tip at (0, apex); `half` of the base on either side."""
    return np.minimum(y - base, half * (apex - y) / (apex - base) - np.abs(x))


def without(kept: Plane, cut: Plane) -> Plane:
    return np.minimum(kept, -cut)


def arrow(x: Plane, y: Plane) -> Plane:
    return np.maximum(triangle(x, y, 0.9, 0.1, 0.75), box(x, y, -0.25, 0.25, -0.9, 0.2))


def cup(x: Plane, y: Plane) -> Plane:
    return without(box(x, y, -0.7, 0.7, -0.8, 0.8), box(x, y, -0.35, 0.35, -0.4, 0.9))


def drop(x: Plane, y: Plane) -> Plane:
    return np.maximum(disc(x, y, 0.0, -0.3, 0.58), triangle(x, y, 0.95, -0.15, 0.54))


def heart(x: Plane, y: Plane) -> Plane:
    lobes = np.maximum(disc(x, y, -0.4, 0.3, 0.46), disc(x, y, 0.4, 0.3, 0.46))
    return np.maximum(lobes, triangle(x, -y, 0.9, -0.15, 0.85))


def hook(x: Plane, y: Plane) -> Plane:
    bend = without(disc(x, y, -0.1, -0.25, 0.62), disc(x, y, -0.1, -0.25, 0.2))
    return np.maximum(np.minimum(bend, -0.25 - y), box(x, y, 0.1, 0.52, -0.3, 0.85))


def house(x: Plane, y: Plane) -> Plane:
    walls = without(box(x, y, -0.65, 0.65, -0.85, 0.2), box(x, y, -0.2, 0.2, -0.9, -0.3))
    return np.maximum(walls, triangle(x, y, 0.9, 0.1, 0.9))


def moon(x: Plane, y: Plane) -> Plane:
    return without(disc(x, y, 0.0, 0.0, 0.85), disc(x, y, 0.0, 0.4, 0.7))


def mushroom(x: Plane, y: Plane) -> Plane:
    return np.maximum(np.minimum(disc(x, y, 0.0, 0.0, 0.85), y), box(x, y, -0.25, 0.25, -0.85, 0.1))


def tee(x: Plane, y: Plane) -> Plane:
    return np.maximum(box(x, y, -0.8, 0.8, 0.4, 0.85), box(x, y, -0.22, 0.22, -0.85, 0.5))


def tree(x: Plane, y: Plane) -> Plane:
    crown = np.maximum(triangle(x, y, 0.95, 0.1, 0.55), triangle(x, y, 0.5, -0.5, 0.8))
    return np.maximum(crown, box(x, y, -0.16, 0.16, -0.9, -0.4))


SHAPES: dict[str, Outline] = {
    "arrow": arrow,
    "cup": cup,
    "drop": drop,
    "heart": heart,
    "hook": hook,
    "house": house,
    "moon": moon,
    "mushroom": mushroom,
    "tee": tee,
    "tree": tree,
}
