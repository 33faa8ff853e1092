"""Sheets of nearest neighbours: what a representation takes for alike, for a person to look at."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

GAP_PX = 4


def nearest(asked: np.ndarray, known: np.ndarray, count: int) -> np.ndarray:
    """(m, d), (n, d) -> (m, count) rows of `known`, by cosine, the nearest first."""
    unit = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9) for part in (asked, known)]
    return np.argsort(-(unit[0] @ unit[1].T), axis=1, kind="stable")[:, :count]


def shared_labels(
    found: np.ndarray, asked: dict[str, np.ndarray], known: dict[str, np.ndarray]
) -> dict[str, float]:
    """For each factor, the share of the neighbours `found` (m, count) that have the query's label."""
    return {
        factor: float((known[factor][found] == labels[:, None]).mean()) for factor, labels in asked.items()
    }


def retrieval_sheet(
    queries: np.ndarray, pictures: np.ndarray, found: dict[str, np.ndarray], zoom: int = 1
) -> Image.Image:
    """A block for each representation in `found` (its name above): a row a query, then its neighbours.

    Args: queries (m, size, size, 3), pictures (n, size, size, 3) uint8; found: (m, count) rows of pictures.
    """
    size = queries.shape[1] * zoom
    title = 14
    count = next(iter(found.values())).shape[1]
    width = (count + 1) * size + GAP_PX * 3
    sheet = Image.new("RGB", (len(found) * width, title + len(queries) * size), "white")
    pen = ImageDraw.Draw(sheet)
    for block, (name, rows) in enumerate(found.items()):
        left = block * width
        pen.text((left, 1), name, fill="black")
        for row, (query, places) in enumerate(zip(queries, rows, strict=True)):
            for column, picture in enumerate([query, *pictures[places]]):
                x = left + column * size + (GAP_PX if column else 0)
                tile = Image.fromarray(picture).resize((size, size), Image.Resampling.NEAREST)
                sheet.paste(tile, (x, title + row * size))
    return sheet
