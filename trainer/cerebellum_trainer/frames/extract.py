"""From sources to a data set of frames, telling on the way what is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.frames.sift import Change, Twins, encoded
from cerebellum_trainer.frames.sources import Taking
from cerebellum_trainer.frames.store import FrameSource, FrameWriter
from cerebellum_trainer.mae.crops import CropRange
from cerebellum_trainer.runs import file_sha256


@dataclass(frozen=True)
class Sifting:
    """Which frames are kept, and how."""

    change: float = 4.0
    """Grey levels by which the most changed sixteenth of width and height must differ from the frame kept
    before; 0 keeps all."""
    size_px: int = 256
    """Shorter side to which larger frames are reduced [px]."""
    quality: int = 92
    """Of the JPEGs, 1 to 100."""


def extract(
    out: Path,
    takings: Iterable[Taking],
    sifting: Sifting,
    crop: CropRange,
    described: dict[str, Any],
    remarks: list[str],
    tell: Callable[[str], None],
) -> tuple[int, int]:
    """Writes the data set to `out`. Returns how many frames were kept, and how many were seen.

    A source that cannot be read leaves the others as they are: it is named, here and in frames.json.
    Raises: TrainerError FRAMES_MISSING if nothing is left, RUN_EXISTS; either leaves nothing behind.
    """
    remarks = list(remarks)
    seen, kept, twins = 0, 0, Twins()
    with FrameWriter(out) as writer:
        for taking in takings:
            change, before, alike = Change(sifting.change), len(writer), 0
            twins.begin()
            try:
                for frame in taking.frames():
                    if not change.is_new(frame.rgb):
                        alike += 1
                        continue
                    jpeg = encoded(frame.rgb, sifting.size_px, sifting.quality)
                    if twins.is_new(jpeg):
                        writer.add(jpeg, frame.stamp_ns)
                    else:
                        alike += 1
            except TrainerError as error:
                remarks.append(f"{taking.name}: {error.happened}")
            if taking.remark is not None:
                remarks.append(taking.remark)
            seen, kept = seen + taking.seen, len(writer)
            digest = file_sha256(taking.path) if kept > before else ""
            writer.named(FrameSource(taking.name, digest, kept - before, taking.seen))
            tell(f"{taking.name}: {kept - before} of {taking.seen} frames ({alike} like others)")
        for remark in remarks:
            tell(f"left out: {remark}")
        if kept == 0:
            raise TrainerError(
                "FRAMES_MISSING", f"No frame is left of {seen} that were seen", "Name other sources"
            )
        writer.finish(crop, {**described, "seen": seen, "leftOut": remarks})
    return kept, seen
