"""Patterns on the drawn objects: functions of turned, scaled object coordinates [rad], in -1..1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Plane = np.ndarray
Pattern = Callable[[Plane, Plane], Plane]


def plain(u: Plane, v: Plane) -> Plane:
    return np.zeros_like(u)


def stripes(u: Plane, v: Plane) -> Plane:
    return np.sign(np.sin(u))


def checks(u: Plane, v: Plane) -> Plane:
    return np.sign(np.sin(u)) * np.sign(np.sin(v))


def dots(u: Plane, v: Plane) -> Plane:
    return np.where(np.cos(u) + np.cos(v) > 0.9, 1.0, -0.4).astype(u.dtype)


def rings(u: Plane, v: Plane) -> Plane:
    return np.sign(np.sin(np.hypot(u, v)))


def waves(u: Plane, v: Plane) -> Plane:
    return np.sign(np.sin(u + 1.6 * np.sin(v)))


TEXTURES: dict[str, Pattern] = {
    "plain": plain,
    "stripes": stripes,
    "checks": checks,
    "dots": dots,
    "rings": rings,
    "waves": waves,
}
