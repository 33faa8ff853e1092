"""Measures how much of the bare forward and backward rate pre-training reaches."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro

from cerebellum_trainer.commands.pretrain import sizes_of
from cerebellum_trainer.frames.sift import encoded
from cerebellum_trainer.frames.store import FrameSource, FrameStore, FrameWriter
from cerebellum_trainer.mae import MaeConfig
from cerebellum_trainer.mae.bench import measure
from cerebellum_trainer.mae.crops import CropRange
from cerebellum_trainer.mae.pictures import Pictures
from cerebellum_trainer.runs import write_run
from cerebellum_trainer.training.world import Hardware, open_world
from cerebellum_trainer.vit import VitConfig

MADE_FRAMES = 512


@dataclass(frozen=True)
class BenchMae:
    """Measures pre-training's rate from the JPEGs on the disk on, against bare forward and backward."""

    frames: tuple[Path, ...] = ()
    """Data sets of the frames command; some that are made up when none is named."""
    vit: VitConfig = field(default_factory=lambda: VitConfig(heads=3))
    mae: MaeConfig = field(default_factory=MaeConfig)
    hardware: tyro.conf.OmitArgPrefixes[Hardware] = field(default_factory=Hardware)
    seconds: float = 45.0
    """About how long it measures [s]."""
    rounds: int = 3
    """So often is each rate measured; the median counts."""
    json: Path | None = None
    """File for the result."""
    size: str | None = None
    """Name of a size instead of --vit, such as mae-b-224."""


def run_bench_mae(config: BenchMae) -> dict[str, Any]:
    """Returns the result as it is written."""
    with tempfile.TemporaryDirectory() as folder, open_world(config.hardware) as world:
        folders = config.frames or (make_frames(Path(folder) / "frames"),)
        vit = sizes_of(config.vit, config.size)
        pictures = Pictures([FrameStore(path) for path in folders], vit.image_px, vit.patches)
        rates = measure(
            pictures,
            vit,
            config.mae,
            world,
            config.hardware.workers,
            config.seconds,
            config.rounds,
            lambda line: print(line, flush=True),
        )
        results = {
            "device": str(world.device),
            "precision": world.precision,
            "bareImagesPerS": round(rates.bare_images_per_s, 1),
            "loopImagesPerS": round(rates.loop_images_per_s, 1),
            "share": round(rates.share, 4),
            "gflopPerImage": float(f"{rates.gflop_per_image:.4g}"),
            "matmulGflopPerS": round(rates.matmul_gflop_per_s, 1),
            "shareOfMatmul": round(rates.peak_share, 4),
        }
    if config.json is not None:
        write_run(config.json, "bench-mae", config, {}, results)
    print(
        f"whole {results['loopImagesPerS']} of bare {results['bareImagesPerS']} images/s: "
        f"{results['share']:.1%} ({results['device']}, {results['precision']}, batch {config.mae.batch})"
    )
    print(
        f"{results['gflopPerImage']} GFLOP an image, {results['shareOfMatmul']:.1%} of the "
        f"{results['matmulGflopPerS']} GFLOP/s of a matrix product"
    )
    return results


def make_frames(folder: Path, count: int = MADE_FRAMES) -> Path:
    """Frames of 341x256 with as much in them as a camera's: some 20 kB each."""
    generator = np.random.default_rng(0)
    with FrameWriter(folder) as writer:
        for number in range(count):
            coarse = generator.integers(0, 255, (12, 16, 3)).astype(np.uint8)
            picture = cv2.resize(coarse, (341, 256), interpolation=cv2.INTER_CUBIC).astype(np.float32)
            picture += generator.normal(0, 6, picture.shape)
            writer.add(encoded(picture.clip(0, 255).astype(np.uint8), 256, 92), number)
        writer.named(FrameSource("made up", "", count, count))
        writer.finish(CropRange(), {})
    return folder
