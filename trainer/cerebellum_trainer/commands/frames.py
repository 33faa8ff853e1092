"""Videos, episodes, pictures -> frames to pre-train on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import tyro

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.frames.extract import Sifting, extract
from cerebellum_trainer.frames.sources import PICTURE, VIDEO, Taking, episodes_of, files_below
from cerebellum_trainer.mae.crops import CropRange


@dataclass(frozen=True)
class Frames:
    """Takes frames to pre-train on out of videos, recorded episodes and folders of pictures."""

    out: Path
    """Folder of the data set; it must not be there yet."""
    videos: tuple[Path, ...] = ()
    """Files, or folders that are searched."""
    episodes: tuple[Path, ...] = ()
    """Folders of sets; failed episodes count too, dropped ones do not."""
    pictures: tuple[Path, ...] = ()
    """JPEG or PNG files, or folders that are searched."""
    camera: tuple[str, ...] = ()
    """Of the episodes; every camera when none is named."""
    rate_hz: float = 2.0
    """Most frames a second of a video or an episode [Hz]."""
    sifting: tyro.conf.OmitArgPrefixes[Sifting] = field(default_factory=Sifting)
    crop: CropRange = field(default_factory=CropRange)
    """Which part of a frame a sample of pre-training is."""


def run_frames(config: Frames) -> Path:
    """Returns the data set's folder."""
    if config.rate_hz <= 0:
        raise TrainerError("RATE_INVALID", f"--rate-hz is {config.rate_hz}", "Name more than 0")
    takings: list[Taking] = []
    remarks: list[str] = []
    for set_folder in config.episodes:
        found, left_out = episodes_of(set_folder, config.camera, config.rate_hz)
        takings += found
        remarks += left_out
    for paths, suffixes, what in ((config.videos, VIDEO, "video"), (config.pictures, PICTURE, "picture")):
        files = files_below(paths, suffixes, what)
        takings += [Taking(file.name, file, config.rate_hz) for file in files]
    described = {"rateHz": config.rate_hz, "sifting": asdict(config.sifting)}
    crop = config.crop.check()

    def tell(line: str) -> None:
        print(line, flush=True)

    kept, seen = extract(config.out, takings, config.sifting, crop, described, remarks, tell)
    print(f"{kept} frames of {seen} in {len(takings)} sources, {config.out}")
    return config.out
