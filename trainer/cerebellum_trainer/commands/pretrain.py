"""corpus -> frozen encoder."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.mae import MaeConfig, open_corpora, pretrain, reconstruction_sheet
from cerebellum_trainer.runs import file_sha256, thinned, write_run
from cerebellum_trainer.vit import VitConfig, save_encoder


@dataclass(frozen=True)
class Pretrain:
    """Pre-trains the encoder as a masked autoencoder on rendered images."""

    corpus: tuple[Path, ...]
    """(n, size, size, 3) uint8 .npy, as the corpus renderer writes it; several, of several cells, as one."""
    out: Path = WORK / "encoder"
    vit: VitConfig = field(default_factory=lambda: VitConfig(heads=3))
    mae: MaeConfig = field(default_factory=MaeConfig)
    seed: int = 0
    threads: int = 1


def run_pretrain(config: Pretrain) -> Path:
    """Returns the encoder's file."""
    torch.set_num_threads(config.threads)
    preprocessing = Preprocessing(size_px=config.vit.image_px)
    corpus = open_corpora(config.corpus, config.vit.image_px)
    started = time.monotonic()

    def tell(step: int, steps: int, loss: float) -> None:
        if step % 25 == 0 or step + 1 == steps:
            rate = (step + 1) * config.mae.batch / (time.monotonic() - started)
            print(f"step {step + 1}/{steps} loss {loss:.4f} {rate:.0f} images/s", flush=True)

    model, losses = pretrain(corpus, config.vit, config.mae, preprocessing, config.seed, tell)
    file = config.out / "encoder.safetensors"
    save_encoder(model.encoder, file, "mae")
    sheet = reconstruction_sheet(model, corpus[:: max(1, len(corpus) // 8)][:8], preprocessing, config.seed)
    sheet.save(config.out / "reconstructions.png")
    results = {
        "encoderSha256": encoder_sha256(model.encoder),
        "corpusImages": len(corpus),
        "wallS": round(time.monotonic() - started, 1),
        "lossFirst": losses[0],
        "lossLast": sum(losses[-20:]) / len(losses[-20:]),
        "losses": thinned(losses),
    }
    inputs = {f"corpus{place}": file_sha256(file) for place, file in enumerate(config.corpus)}
    write_run(config.out / "run.json", "pretrain", config, inputs, results)
    print(f"loss {results['lossFirst']:.3f} -> {results['lossLast']:.3f}, {file}")
    return file
