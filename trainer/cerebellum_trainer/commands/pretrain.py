"""Pictures -> frozen encoder."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro

from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.encoders.files import save_encoder
from cerebellum_trainer.encoders.sizes import SIZES
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.frames.store import FrameStore
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.mae import MaeConfig, MaskedAutoencoder, open_corpus, reconstruction_sheet
from cerebellum_trainer.mae.pictures import Pictures, PictureSet, Rendered
from cerebellum_trainer.mae.recipe import mae_fit, new_autoencoder
from cerebellum_trainer.runs import file_sha256, thinned
from cerebellum_trainer.training.folder import RunFolder
from cerebellum_trainer.training.loop import LoopConfig, fit
from cerebellum_trainer.training.world import Hardware, open_world
from cerebellum_trainer.vit import VitConfig

SHEET_ROWS = 8


@dataclass(frozen=True)
class Pretrain:
    """Pre-trains the encoder as a masked autoencoder on pictures: rendered ones, frames, or both."""

    corpus: tuple[Path, ...] = ()
    """(n, size, size, 3) uint8 .npy, as the corpus renderer writes it; several, of several cells, as one."""
    frames: tuple[Path, ...] = ()
    """Data sets that the frames command made, each with its own range of crops."""
    out: Path = WORK / "encoder"
    """Folder of the run; nothing in it is overwritten."""
    vit: VitConfig = field(default_factory=lambda: VitConfig(heads=3))
    mae: MaeConfig = field(default_factory=MaeConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    hardware: tyro.conf.OmitArgPrefixes[Hardware] = field(default_factory=Hardware)
    seed: int = 0
    """Of all chance: the same seed on the same computer gives the same result."""
    resume: bool = False
    """Go on with the run in --out where it was interrupted; begin it if there is none."""
    size: str | None = None
    """Name of a size instead of --vit, such as mae-b-224."""


def run_pretrain(config: Pretrain) -> Path:
    """Returns the encoder's file."""
    vit = sizes_of(config.vit, config.size)
    preprocessing = Preprocessing(size_px=vit.image_px)
    sets, inputs = open_sets(config, vit.image_px)
    pictures = Pictures(sets, vit.image_px, vit.patches)
    file = config.out / "encoder.safetensors"
    with (
        open_world(config.hardware) as world,
        RunFolder.open(config.out, "pretrain", config, inputs, world, config.resume) as folder,
    ):
        started = time.monotonic()
        model = new_autoencoder(vit, config.mae, preprocessing, config.seed)
        run = mae_fit(model, pictures, config.mae, preprocessing, config.seed, world, config.hardware.workers)
        sheet_images = pictures.some(SHEET_ROWS)

        def paint(_step: int) -> None:
            draw(model, sheet_images, preprocessing, config)

        run.after_save = paint
        losses = fit(run, config.loop, world, folder, lambda line: print(line, flush=True))
        if not world.is_main:
            return file
        model.cpu().eval()
        save_encoder(model.encoder, file, "mae")
        draw(model, sheet_images, preprocessing, config)
        results = {
            "encoderSha256": encoder_sha256(model.encoder),
            "corpusImages": len(pictures),
            "device": str(world.device),
            "precision": world.precision,
            "wallS": round(time.monotonic() - started, 1),
            "lossFirst": losses[0],
            "lossLast": float(np.mean(losses[-20:])),
            "losses": thinned(losses),
        }
        folder.finish(results)
    print(f"loss {results['lossFirst']:.3f} -> {results['lossLast']:.3f}, {file}")
    return file


def sizes_of(vit: VitConfig, size: str | None) -> VitConfig:
    """`vit`, or what `size` names. Raises: TrainerError ENCODER_UNKNOWN."""
    if size is None:
        return vit
    if size not in SIZES:
        raise TrainerError("ENCODER_UNKNOWN", f"{size} is no size ({', '.join(SIZES)})", "Name one of these")
    return SIZES[size]


def draw(
    model: MaskedAutoencoder, images: np.ndarray, preprocessing: Preprocessing, config: Pretrain
) -> None:
    """The picture by which a person sees how far it has come; the run's own, so drawn anew."""
    reconstruction_sheet(model, images, preprocessing, config.seed).save(config.out / "reconstructions.png")


def open_sets(config: Pretrain, image_px: int) -> tuple[list[PictureSet], dict[str, str]]:
    """The sets, and the hash of each. Raises: TrainerError SAMPLES_MISSING, CORPUS_UNREADABLE,
    FRAMES_UNREADABLE.
    """
    rendered = [Rendered(open_corpus(path, image_px), path.name) for path in config.corpus]
    stores = [FrameStore(path) for path in config.frames]
    inputs = {f"corpus{place}": file_sha256(file) for place, file in enumerate(config.corpus)}
    inputs |= {f"frames{place}": store.sha256() for place, store in enumerate(stores)}
    if not inputs:
        raise TrainerError("SAMPLES_MISSING", "No pictures are named", "Name some with --corpus or --frames")
    return [*rendered, *stores], inputs
